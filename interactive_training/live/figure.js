// The browser half of LiveFigure.
//
// Python draws what stands still once, as a PNG ("background"), and describes what moves in a
// "scene". Each "frame" is a small buffer with the data of everything that moves; this module
// paints it on top. Frames are whole: any of them may be missed. pack.py and artists.py say how a
// frame is laid out; the functions below read it in the same order. Background and scene are state
// of the figure's model; frames come to the model of its group, which may serve several figures.

const ACK_DELAY = 36; // ms; longer than the 1/30 s between two frames, see flow.py
const LONGEST_ACK_DELAY = 150; // where frames come slowly, so that two share an answer there too
const FRAME_REST = 1500; // ms without what should have come; longer than LOST_AFTER in flow.py
const CHANGE_REST = 80; // ms without another change of width or theme before Python draws anew
const DRAG_REST = 36; // ms between two positions, as between two pictures (latest.py)
const ANSWER_TIMEOUT = 1000; // ms after which a drag message counts as lost
const SPEECH_REST = 2000; // ms between two sentences for a screen reader
const KEY_STEP = 0.01; // of the axes, for an arrow key; Shift makes it ten times as long

async function render({ model, el }) {
  const group = await model.widget_manager.get_model(model.get("group"));
  group.liveFigures ??= new Group(group); // one for all views of this page
  const view = new View(model, el, group.liveFigures);
  return () => view.dispose();
}

export default { render };

// ---- A group: it hands frames to their views and answers once for all of them ----

class Group {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.number = 0; // of the newest message
    this.had = []; // by place: the newest message with a frame for it
    this.unanswered = 0;
    this.arrived = -Infinity; // when the newest message came
    model.on("msg:custom", (message, buffers) => this.receive(message, buffers));
  }

  receive({ number, places }, buffers) {
    const arrived = performance.now();
    const next = 2 * (arrived - this.arrived); // by then another message should have come
    const waits = number === this.number + 1; // none was lost
    const delay = waits ? Math.min(LONGEST_ACK_DELAY, Math.max(ACK_DELAY, next)) : ACK_DELAY;
    this.arrived = arrived;
    this.number = number;
    places.forEach((place, i) => {
      while (this.had.length <= place) this.had.push(0);
      this.had[place] = number;
      for (const view of this.views) {
        if (view.model.get("place") === place) view.model.set("frame", buffers[i]);
      }
    });
    this.unanswered += 1;
    clearTimeout(this.timer);
    // The views asked for their turn before this: they have painted when it comes. An answer
    // costs the kernel more than a frame does, so two frames share one while they keep coming.
    requestAnimationFrame(() => {
      if (this.unanswered > 1) this.answer();
      clearTimeout(this.timer);
      const wait = Math.max(0, arrived + delay - performance.now());
      this.timer = setTimeout(() => this.answer(), wait);
    });
  }

  answer() {
    this.unanswered = 0;
    this.tell();
    // Once more when no frame follows: if the last one was lost, Python then sends it again.
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.tell(), FRAME_REST);
  }

  tell() {
    const views = [...this.views].map((view) => [
      view.model.get("place"),
      view.name,
      view.onScreen(),
    ]);
    const held = (performance.now() - this.arrived) / 1000;
    if (views.length) send(this.model, { number: this.number, held, had: this.had, views });
  }
}

function send(model, message) {
  try {
    model.send(message);
  } catch {
    // The kernel is gone; the picture stays as it is.
  }
}

// ---- One view: what is on the page, what is observed, what is told to Python ----

class View {
  constructor(model, el, group) {
    this.model = model;
    this.group = group;
    this.name = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.visible = undefined; // unknown until the observer has spoken
    this.width = 0;
    this.ground = { layout: 0, bitmap: null };
    this.loading = 0;
    this.painting = 0; // the refresh of the screen that the last paint waits for
    this.waiting = false; // another one, for it
    this.reported = "";
    this.timers = {};
    this.drag = new Drag(this);
    this.build(el);
    this.cursor = new Cursor(this);
    this.listen();
    group.views.add(this);
    this.showTexts();
    this.requestPaint(); // the model may know a picture already: a second view, a reloaded page
  }

  build(el) {
    this.root = make("div", "live-figure", el);
    this.picture = make("div", "", this.root);
    this.picture.setAttribute("role", "img");
    this.canvas = make("canvas", "", this.picture);
    this.canvas.style.height = `${this.model.get("height")}px`; // reserved: nothing jumps later
    this.speech = make("div", "live-figure-text", this.root);
    this.speech.setAttribute("aria-live", "polite");
    this.problem = make("div", "live-figure-problem", this.root);
    this.problem.setAttribute("role", "alert");
  }

  listen() {
    this.onFrame = () => this.requestPaint();
    this.onText = () => this.showTexts();
    this.model.on("change:frame change:scene", this.onFrame);
    this.model.on("change:text change:label change:problem", this.onText);

    this.quit = new AbortController(); // ends every listener below at once
    const signal = this.quit.signal;
    // A page that comes back may have lost frames: saying hello makes Python send the newest.
    const hello = () => this.report(true);
    document.addEventListener("visibilitychange", hello, { signal });
    window.addEventListener("focus", hello, { signal });
    window.addEventListener("pagehide", () => this.send({ kind: "gone" }), { signal });
    window.addEventListener("resize", () => this.reportSoon(), { signal }); // zoom changes density
    this.canvas.addEventListener("click", (event) => this.clicked(...this.spot(event)), {
      signal,
    });

    this.observers = [
      new ResizeObserver(() => this.reportSoon()),
      new IntersectionObserver(([entry]) => {
        this.visible = entry.isIntersecting;
        this.report();
      }),
      new MutationObserver(() => this.reportSoon()), // not at once: the page has no layout then
    ];
    this.observers[0].observe(this.root);
    this.observers[1].observe(this.root);
    this.observers[2].observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  }

  dispose() {
    this.group.views.delete(this);
    this.model.off("change:frame change:scene", this.onFrame);
    this.model.off("change:text change:label change:problem", this.onText);
    this.quit.abort();
    for (const observer of this.observers) observer.disconnect();
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    cancelAnimationFrame(this.painting);
    this.send({ kind: "gone" });
    this.root.remove();
  }

  send(message) {
    send(this.model, { ...message, view: this.name });
  }

  // Run `job` after `wait` ms, once, however often it is asked for in between.
  later(name, wait, job) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(job, wait);
  }

  onScreen() {
    return Boolean(this.visible) && document.visibilityState === "visible";
  }

  reportSoon() {
    this.later("change", CHANGE_REST, () => this.report());
  }

  // Tell Python the size, the theme and whether anyone can see this.
  report(always = false) {
    const width = this.root.clientWidth;
    if (width >= 50) this.width = width; // less: hidden, as in a tab behind
    if (!this.width || this.visible === undefined) return;
    const message = {
      kind: "view",
      width: this.width,
      density: window.devicePixelRatio,
      theme: document.body.dataset.jpThemeLight === "false" ? "dark" : "light",
      visible: this.onScreen(),
    };
    const written = JSON.stringify(message);
    if (written === this.reported && !always) return;
    this.reported = written;
    this.send({ ...message, scene: this.model.get("scene").version ?? 0 }); // what is known here
    this.expectPicture();
  }

  // Say hello again if the picture, or its scene, does not come: it was lost on its way.
  expectPicture() {
    this.timers.picture ??= setTimeout(() => {
      this.timers.picture = undefined;
      if (!this.complete()) this.report(true);
    }, FRAME_REST);
  }

  complete() {
    return this.model.get("scene").version === this.sceneOfFrame();
  }

  sceneOfFrame() {
    const frame = this.model.get("frame");
    return frame ? frame.getUint32(4, true) : NaN;
  }

  // Words go in as text, never as HTML.
  showTexts() {
    this.picture.setAttribute("aria-label", this.model.get("label"));
    this.problem.textContent = this.model.get("problem");
    if (this.timers.speech) return; // the newest sentence is read when the rest is over
    this.speech.textContent = this.model.get("text");
    this.timers.speech = setTimeout(() => {
      this.timers.speech = 0;
      if (this.speech.textContent !== this.model.get("text")) this.showTexts();
    }, SPEECH_REST);
  }

  // Paint at once, so that the next refresh of the screen shows it; what comes before that waits.
  requestPaint() {
    if (this.painting) {
      this.waiting = true;
      return;
    }
    this.paint();
    this.painting = requestAnimationFrame(() => {
      this.painting = 0;
      if (this.waiting) this.requestPaint();
      this.waiting = false;
    });
  }

  paint() {
    const scene = this.model.get("scene");
    const buffer = this.model.get("frame");
    if (!buffer) return;
    if (!this.complete()) {
      this.expectPicture();
      return;
    }
    if (this.ground.layout !== scene.layout) {
      this.loadGround(scene.layout);
      return; // keep the old picture until the new background is there
    }
    const frame = readFrame(buffer, scene);
    this.drag.settle(frame);
    this.drag.place(frame, scene);
    this.cursor.place(scene);
    paintFrame(this.canvas, this.ground.bitmap, scene, frame);
    this.root.dataset.painted = frame.number;
    this.root.dataset.background = scene.layout;
  }

  async loadGround(layout) {
    if (this.loading === layout) return;
    this.loading = layout;
    const png = new Blob([this.model.get("background")], { type: "image/png" });
    const bitmap = await createImageBitmap(png);
    if (this.loading !== layout) return; // a newer one is on its way
    this.ground.bitmap?.close();
    this.ground = { layout, bitmap };
    this.requestPaint();
  }

  // Where an event lies in the figure, as fractions of its width and height.
  spot(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  clicked(x, y) {
    const scene = this.model.get("scene");
    const found = axesAt(scene, x, y);
    if (scene.clicks && found) this.send({ kind: "click", ...found });
  }
}

// ---- Clicks from the keyboard: the arrow keys move a cross, Enter clicks where it is ----

class Cursor {
  constructor(view) {
    this.view = view;
    this.at = null; // fractions of the figure; the middle of the first axes to begin with
    this.node = make("div", "live-figure-cursor", view.root);
    this.node.hidden = true;
    this.node.setAttribute("role", "button");
    this.node.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the keys first
    this.node.addEventListener("keydown", (event) => this.toKey(event));
  }

  place(scene) {
    this.node.hidden = !scene.clicks || !scene.axes.length;
    this.node.tabIndex = this.node.hidden ? -1 : 0;
    if (this.node.hidden) return;
    const [left, top, width, height] = scene.axes[0].box;
    this.at ??= [left + width / 2, top + height / 2];
    this.node.style.left = `${this.at[0] * 100}%`;
    this.node.style.top = `${this.at[1] * scene.height}px`;
    const found = axesAt(scene, ...this.at);
    const where = found ? [found.x, found.y].map((value) => value.toPrecision(3)) : ["outside"];
    const label = `${where.join(", ")}: arrow keys move, Enter clicks`;
    if (this.node.ariaLabel !== label) this.node.ariaLabel = label;
  }

  toKey(event) {
    const arrow = ARROWS[event.key];
    const click = event.key === "Enter" || event.key === " ";
    if (!arrow && !click) return;
    event.preventDefault();
    event.stopPropagation();
    if (click) {
      this.view.clicked(...this.at);
      return;
    }
    const scene = this.view.model.get("scene");
    const [, , width, height] = scene.axes[0].box;
    const step = KEY_STEP * (event.shiftKey ? 10 : 1);
    const [x, y] = [this.at[0] + arrow[0] * step * width, this.at[1] - arrow[1] * step * height];
    this.at = [between(x, 0, 1), between(y, 0, 1)];
    this.place(scene);
  }
}

// ---- Points to drag: they move here at once; Python has the last word ----

class Drag {
  constructor(view) {
    this.view = view;
    this.nodes = new Map(); // handle id: element
    this.held = null; // { id, fx, fy }: where the learner has a point that Python has not yet
    this.waiting = null; // the newest message not sent
    this.asked = 0; // id of the message on its way, 0 for none
    this.sent = -Infinity; // when the last one was
  }

  // Python answered: go on with the newest position, or let Python's own count.
  settle(frame) {
    if (this.asked === 0 || frame.answered !== this.asked) return;
    this.goOn();
  }

  // Put the elements where their artists are, and a held artist where the learner has it.
  place(frame, scene) {
    this.view.root.style.setProperty("--live-figure-you", scene.theme.you);
    for (const handle of scene.handles) {
      const node = this.nodes.get(handle.id) ?? this.makeNode(handle.id);
      const block = frame.blocks[handle.artist];
      node.hidden = !block || block.points.length === 0;
      if (node.hidden) continue;
      if (this.held?.id === handle.id) {
        const { fx, fy } = this.held;
        block.points.set([fx, fy]);
        if (block.marked?.length) block.marked.set([fx, fy]);
      }
      const axes = scene.axes[scene.artists[handle.artist].axes];
      const [left, top, width, height] = axes.box;
      const [fx, fy] = block.points;
      node.style.left = `${(left + fx * width) * 100}%`;
      node.style.top = `${(top + (1 - fy) * height) * scene.height}px`;
      const [x, y] = toData(axes, fx, fy).map((value) => value.toPrecision(3));
      node.setAttribute("aria-label", handle.label);
      node.setAttribute("aria-valuenow", x);
      node.setAttribute("aria-valuetext", `${x}, ${y}`);
    }
  }

  makeNode(id) {
    const node = make("div", "live-figure-handle", this.view.root);
    node.tabIndex = 0;
    node.setAttribute("role", "slider");
    // JupyterLab's own shortcuts would take the arrow keys first.
    node.dataset.lmSuppressShortcuts = "true";
    node.addEventListener("pointerdown", (event) => this.grab(node, event));
    node.addEventListener("pointermove", (event) => {
      if (node.hasPointerCapture(event.pointerId)) this.toPointer(id, event, false);
    });
    node.addEventListener("pointerup", (event) => this.toPointer(id, event, true));
    node.addEventListener("keydown", (event) => this.toKey(id, event));
    node.addEventListener("keyup", (event) => {
      if (ARROWS[event.key] && this.last) this.move(...this.last, true);
    });
    this.nodes.set(id, node);
    return node;
  }

  grab(node, event) {
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
    event.preventDefault();
  }

  toPointer(id, event, done) {
    const axes = this.axesOf(id);
    this.move(id, ...toAxes(axes, ...this.view.spot(event)), done);
  }

  toKey(id, event) {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    event.stopPropagation();
    const step = KEY_STEP * (event.shiftKey ? 10 : 1);
    const [fx, fy] = this.held?.id === id ? [this.held.fx, this.held.fy] : this.pointOf(id);
    this.move(id, fx + arrow[0] * step, fy + arrow[1] * step, false);
  }

  move(id, fx, fy, done) {
    const axes = this.axesOf(id);
    const handle = this.handleOf(id);
    const [[left, right], [bottom, top]] = handle.bounds ?? [axes.x, axes.y];
    const [x, y] = toData(axes, fx, fy);
    const at = [between(x, left, right), between(y, bottom, top)];
    [fx, fy] = fromData(axes, ...at);
    this.held = { id, fx, fy };
    this.last = [id, fx, fy];
    this.waiting = { kind: "drag", handle: id, x: at[0], y: at[1], done };
    if (this.asked === 0) this.push();
    this.view.requestPaint();
  }

  // One message at a time, and no more than can be shown: until then only the newest position is
  // kept. Sent earlier it would wait in Python for its picture's turn, and grow old there.
  push() {
    const wait = this.sent + DRAG_REST - performance.now();
    if (wait > 0) {
      this.view.later("push", wait, () => this.goOn());
      return;
    }
    this.sent = performance.now();
    this.asked = 1 + Math.floor(Math.random() * 0xfffffffe);
    this.view.send({ ...this.waiting, id: this.asked });
    this.waiting = null;
    this.view.later("answer", ANSWER_TIMEOUT, () => this.goOn());
  }

  goOn() {
    this.asked = 0;
    if (this.waiting) this.push();
    else this.held = null;
  }

  handleOf(id) {
    return this.view.model.get("scene").handles.find((handle) => handle.id === id);
  }

  axesOf(id) {
    const scene = this.view.model.get("scene");
    return scene.axes[scene.artists[this.handleOf(id).artist].axes];
  }

  pointOf(id) {
    const scene = this.view.model.get("scene");
    const frame = readFrame(this.view.model.get("frame"), scene);
    return frame.blocks[this.handleOf(id).artist].points;
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// ---- Coordinates: data, fractions of the axes (y up), fractions of the figure (y down) ----

// The uppermost axes at a place of the figure, and the data coordinates there; null outside.
function axesAt(scene, x, y) {
  const index = scene.axes.findLastIndex((axes) => {
    const [left, top, width, height] = axes.box;
    return x >= left && x <= left + width && y >= top && y <= top + height;
  });
  if (index < 0) return null;
  const [dataX, dataY] = toData(scene.axes[index], ...toAxes(scene.axes[index], x, y));
  return { axes: index, x: dataX, y: dataY };
}

function toAxes(axes, x, y) {
  const [left, top, width, height] = axes.box;
  return [(x - left) / width, 1 - (y - top) / height];
}

function toData(axes, fx, fy) {
  return [fx, fy].map((fraction, i) => {
    const [low, high] = i === 0 ? axes.x : axes.y;
    if (axes.scale[i] === "log") return low * (high / low) ** fraction;
    return low + (high - low) * fraction;
  });
}

function fromData(axes, x, y) {
  return [x, y].map((value, i) => {
    const [low, high] = i === 0 ? axes.x : axes.y;
    if (axes.scale[i] === "log") return Math.log(value / low) / Math.log(high / low);
    return (value - low) / (high - low);
  });
}

function between(value, one, other) {
  return Math.min(Math.max(value, Math.min(one, other)), Math.max(one, other));
}

// ---- Reading a frame ----

class Reader {
  constructor(view) {
    // Copied: float32 must begin at a multiple of four, which a message does not promise.
    this.buffer = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    this.data = new DataView(this.buffer);
    this.at = 0;
  }

  whole() {
    this.at += 4;
    return this.data.getUint32(this.at - 4, true);
  }

  floats(count) {
    this.at += 4 * count;
    return new Float32Array(this.buffer, this.at - 4 * count, count);
  }

  bytes(count) {
    const found = new Uint8Array(this.buffer, this.at, count);
    this.at += 4 * Math.ceil(count / 4);
    return found;
  }

  // A list of items of `size` numbers each, after its length.
  list(size) {
    return this.floats(this.whole() * size);
  }

  colours() {
    return this.bytes(this.whole() * 4);
  }
}

// The reader's calls stand in the order in which artists.py writes.
const READ = {
  line: (r) => ({ points: r.list(2), marked: r.list(2) }),
  points: (r) => ({ points: r.list(2), sizes: r.list(1), faces: r.colours(), edges: r.colours() }),
  shapes: (r) => ({ points: r.list(2), faces: r.colours(), edges: r.colours() }),
  bars: (r) => ({ bars: r.list(5), faces: r.colours(), edges: r.colours() }),
  image: (r, style) => {
    const [rows, columns, corners] = [r.whole(), r.whole(), r.floats(4)];
    return { rows, columns, corners, cells: r.bytes(rows * columns * (style.palette ? 1 : 4)) };
  },
  text: (r) => ({ at: r.floats(2), letters: new TextDecoder().decode(r.bytes(r.whole())) }),
};

function readFrame(view, scene) {
  const reader = new Reader(view);
  const [number, , answered] = [reader.whole(), reader.whole(), reader.whole()];
  const blocks = scene.artists.map((style) => READ[style.kind](reader, style));
  return { number, answered, blocks };
}

// ---- Painting ----

function paintFrame(canvas, ground, scene, frame) {
  if (canvas.width !== ground.width || canvas.height !== ground.height) {
    canvas.width = ground.width;
    canvas.height = ground.height;
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(ground, 0, 0);
  // From here on one unit is one CSS pixel.
  ctx.setTransform(ground.width / scene.width, 0, 0, ground.height / scene.height, 0, 0);
  scene.artists.forEach((style, i) => {
    const place = placeOf(scene, style.axes);
    ctx.save();
    if (style.clip) {
      ctx.beginPath();
      ctx.rect(place.left, place.top, place.width, place.height);
      ctx.clip();
    }
    PAINT[style.kind](ctx, style, frame.blocks[i], place);
    ctx.restore();
  });
}

// The axes in pixels; x and y turn fractions of the axes into pixels.
function placeOf(scene, index) {
  const [left, top, width, height] = scene.axes[index].box;
  const box = {
    left: left * scene.width,
    top: top * scene.height,
    width: width * scene.width,
    height: height * scene.height,
  };
  box.x = (fraction) => box.left + fraction * box.width;
  box.y = (fraction) => box.top + (1 - fraction) * box.height;
  return box;
}

const PAINT = {
  line(ctx, style, block, place) {
    if (style.colour) {
      ctx.strokeStyle = style.colour;
      setStroke(ctx, style);
      ctx.beginPath();
      trace(ctx, stepped(block.points, style.steps), place);
      ctx.stroke();
    }
    if (!style.marker) return;
    const { path, size, face, edge, width, every } = style.marker;
    const shape = new Path2D(path);
    const marked = every ? spaced(block.points, every, place) : block.marked;
    for (let i = 0; i < marked.length; i += 2) {
      stamp(ctx, shape, place.x(marked[i]), place.y(marked[i + 1]), size, {
        face,
        edge,
        width,
      });
    }
  },

  points(ctx, style, block, place) {
    const shape = new Path2D(style.path);
    for (let i = 0; i < block.points.length / 2; i++) {
      const [x, y] = [place.x(block.points[2 * i]), place.y(block.points[2 * i + 1])];
      stamp(ctx, shape, x, y, block.sizes[i % block.sizes.length], {
        face: colourOf(block.faces, i),
        edge: colourOf(block.edges, i),
        width: style.width,
      });
    }
  },

  // Shapes lie behind each other in one list, with a NaN after each.
  shapes(ctx, style, block, place) {
    setStroke(ctx, style);
    let start = 0;
    for (let i = 0, shape = 0; i < block.points.length; i += 2) {
      if (!Number.isNaN(block.points[i])) continue;
      ctx.beginPath();
      trace(ctx, block.points.subarray(start, i), place);
      fillAndStroke(ctx, colourOf(block.faces, shape), colourOf(block.edges, shape), style.width);
      start = i + 2;
      shape += 1;
    }
  },

  bars(ctx, _style, block, place) {
    for (let i = 0; i < block.bars.length / 5; i++) {
      const [x0, y0, x1, y1, width] = block.bars.subarray(5 * i, 5 * i + 5);
      ctx.beginPath();
      ctx.rect(place.x(x0), place.y(y0), place.x(x1) - place.x(x0), place.y(y1) - place.y(y0));
      fillAndStroke(ctx, colourOf(block.faces, i), colourOf(block.edges, i), width);
    }
  },

  image(ctx, style, block, place) {
    if (!block.rows || !block.columns) return;
    const [x0, y0, x1, y1] = block.corners; // the first row lies at y1
    ctx.imageSmoothingEnabled = false;
    ctx.translate(place.x(x0), place.y(y1));
    ctx.scale(place.x(x1) - place.x(x0), place.y(y0) - place.y(y1));
    ctx.drawImage(cellsOf(style, block), 0, 0, 1, 1);
  },

  text(ctx, style, block, place) {
    if (!block.letters || !style.colour) return;
    ctx.fillStyle = style.colour;
    ctx.font = `${style.slant} ${style.weight} ${style.size}px ${style.family}`;
    const lines = block.letters.split("\n");
    const layout = measure(ctx, lines, style);
    ctx.translate(place.x(block.at[0]) + layout.dx, place.y(block.at[1]) + layout.dy);
    ctx.rotate(layout.angle);
    lines.forEach((line, i) => {
      ctx.fillText(line, layout.indents[i], i * layout.advance);
    });
  },
};

function setStroke(ctx, style) {
  ctx.lineWidth = style.width;
  ctx.lineCap = style.cap ?? "butt";
  ctx.lineJoin = style.join ?? "round";
  ctx.setLineDash(style.dash);
  ctx.lineDashOffset = style.dashOffset;
}

function fillAndStroke(ctx, face, edge, width) {
  if (face) {
    ctx.fillStyle = face;
    ctx.fill();
  }
  if (edge && width > 0) {
    ctx.strokeStyle = edge;
    ctx.lineWidth = width;
    ctx.stroke();
  }
}

// Add a polyline to the current path; a NaN breaks it.
function trace(ctx, points, place) {
  let down = false;
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [place.x(points[i]), place.y(points[i + 1])];
    if (Number.isNaN(x) || Number.isNaN(y)) down = false;
    else if (down) ctx.lineTo(x, y);
    else {
      ctx.moveTo(x, y);
      down = true;
    }
  }
}

// The corners that matplotlib's drawstyle puts between the points.
function stepped(points, steps) {
  if (!steps) return points;
  const found = [points[0], points[1]];
  for (let i = 2; i < points.length; i += 2) {
    const [x0, y0, x1, y1] = points.subarray(i - 2, i + 2);
    if (steps === "pre") found.push(x0, y1);
    else if (steps === "post") found.push(x1, y0);
    else found.push((x0 + x1) / 2, y0, (x0 + x1) / 2, y1);
    found.push(x1, y1);
  }
  return found;
}

// The points nearest to places that lie `every` of the axes' diagonal apart along a line, as
// matplotlib picks them.
export function spaced(points, every, { width, height }) {
  const [known, ways] = [[], []];
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i], points[i + 1]];
    if (Number.isNaN(x) || Number.isNaN(y)) continue;
    const [x0, y0] = known.at(-1) ?? [x, y];
    ways.push((ways.at(-1) ?? 0) + Math.hypot((x - x0) * width, (y - y0) * height));
    known.push([x, y]);
  }
  const [apart, last, total] = [every * Math.hypot(width, height), ways.length - 1, ways.at(-1)];
  // A point is chosen if a wanted place lies nearer to it than to its neighbours.
  const placesTo = (i) => Math.floor((ways[i] + ways[i + 1]) / 2 / apart);
  const isChosen = (_, i) => {
    if (i === 0) return total > 0;
    return (i < last ? placesTo(i) : Math.ceil(total / apart) - 1) > placesTo(i - 1);
  };
  return known.filter(isChosen).flat();
}

// Draw one marker; its outline is of size 1 with y upward.
function stamp(ctx, shape, x, y, size, { face, edge, width }) {
  if (Number.isNaN(x) || Number.isNaN(y)) return;
  const placed = new Path2D();
  placed.addPath(shape, new DOMMatrix([size, 0, 0, -size, x, y]));
  if (face) {
    ctx.fillStyle = face;
    ctx.fill(placed);
  }
  if (edge && width > 0) {
    ctx.strokeStyle = edge;
    ctx.lineWidth = width;
    ctx.setLineDash([]);
    ctx.stroke(placed);
  }
}

// The i-th of a list of colours, which begins again when it ends; "" if there is none.
function colourOf(bytes, i) {
  if (bytes.length === 0) return "";
  const at = (4 * i) % bytes.length;
  if (bytes[at + 3] === 0) return "";
  return `rgba(${bytes[at]},${bytes[at + 1]},${bytes[at + 2]},${bytes[at + 3] / 255})`;
}

// An image's cells as a small canvas, one pixel a cell.
function cellsOf(style, block) {
  const canvas = new OffscreenCanvas(block.columns, block.rows);
  const ctx = canvas.getContext("2d");
  const pixels = ctx.createImageData(block.columns, block.rows);
  if (style.palette) {
    const palette = fromHex(style.palette);
    block.cells.forEach((cell, i) => {
      pixels.data.set(palette.subarray(4 * cell, 4 * cell + 4), 4 * i);
    });
  } else {
    pixels.data.set(block.cells);
  }
  ctx.putImageData(pixels, 0, 0);
  return canvas;
}

const palettes = new Map();

function fromHex(hex) {
  if (!palettes.has(hex)) {
    palettes.set(hex, Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16)));
  }
  return palettes.get(hex);
}

// Where the lines of a text go, by matplotlib's rules: a line is at least as high as "lp", lines
// are 1.2 apart, and the box around the turned text is what is aligned.
function measure(ctx, lines, style) {
  const least = ctx.measureText("lp");
  const sizes = lines.map((line) => ctx.measureText(line));
  const ascent = Math.max(least.actualBoundingBoxAscent, sizes[0].actualBoundingBoxAscent);
  const last = sizes[sizes.length - 1];
  const descent = Math.max(least.actualBoundingBoxDescent, last.actualBoundingBoxDescent);
  const advance = descent + 1.2 * least.actualBoundingBoxAscent;
  const width = Math.max(...sizes.map((size) => size.width));
  const share = { left: 0, center: 0.5, right: 1 }[style.across];
  const indents = sizes.map((size) => (width - size.width) * share);

  const angle = (-style.angle * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const bottom = (lines.length - 1) * advance + descent;
  const corners = [
    [0, -ascent],
    [width, -ascent],
    [0, bottom],
    [width, bottom],
  ];
  const xs = corners.map(([x, y]) => x * cos - y * sin);
  const ys = corners.map(([x, y]) => x * sin + y * cos);
  const [west, east] = [Math.min(...xs), Math.max(...xs)];
  const [north, south] = [Math.min(...ys), Math.max(...ys)];
  const dx = -(west + (east - west) * share);
  const dy = {
    top: -north,
    bottom: -south,
    center: -(north + south) / 2,
    baseline: descent - south,
    center_baseline: descent - south + ascent / 2,
  }[style.upright];
  return { dx, dy, angle, advance, indents };
}

function make(tag, className, parent) {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
}

/* Controls: a slider with its number, a menu, a tick, a field, a fact; and lists of them. */

const BUILD = { slider, choice, toggle, text: field, marked, fact };

/* One control: its node, and a function that puts a state into it. A control that the learner
   holds is left alone until it is let go. */
function control(state, set) {
  const made = BUILD[state.kind](state, (value) => set(state.name, value));
  made.node.setAttribute("data-control", state.name);
  return made;
}

/* Where a value lies on the track of its control, as a share from 0 to 1, and back. */
function shareAt({ low, high, log }, value) {
  return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

function valueAt({ low, high, log, whole, digits }, share) {
  const inside = Math.min(1, Math.max(0, share));
  return asNumber(log ? low * (high / low) ** inside : low + (high - low) * inside, whole, digits);
}

/* The value that an arrow key leads to: a hundredth of the track or a whole number away, with
   Shift ten times as far; null for other keys. */
function nudged(state, event) {
  const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
  if (!by || event.altKey) return null;
  const far = by * (event.shiftKey ? 10 : 1);
  if (state.whole) return Math.min(state.high, Math.max(state.low, state.value + far));
  return valueAt(state, shareAt(state, state.value) + far / 100);
}

/* Presses in a row go on from one another, however late the answers to them come. */
function presses() {
  let value, last = -Infinity;
  return {
    /* The state that the next press starts from. */
    from: (state) => (performance.now() - last < 1000 ? { ...state, value } : state),
    came: (to) => { value = to; last = performance.now(); },
    end: () => { last = -Infinity; },
  };
}

/* The value at a place that the mouse has reached: a mark that is near draws it on. */
function caughtAt(state, share) {
  const mark = (state.marks ?? []).find(({ at }) => Math.abs(shareAt(state, at) - share) < 0.025);
  return mark ? mark.at : valueAt(state, share);
}

function slider(first, set) {
  let now = first;
  const steps = 1000;
  const toPlace = (value) => Math.round(steps * Math.min(1, Math.max(0, shareAt(now, value))));
  const id = `it-${first.name}-${Math.random().toString(36).slice(2, 8)}`;
  let held = false;
  const pressed = presses();
  const range = make("input", {
    type: "range", min: 0, max: steps, id, "data-key": `range-${first.name}`,
    oninput: () => {
      const value = caughtAt(now, Number(range.value) / steps);
      pressed.came(value);
      set(value);
    },
    onpointerdown: () => { held = true; },
    onpointerup: () => { held = false; },
    onchange: () => { held = false; },
    onkeydown: (event) => {
      const value = nudged(pressed.from(now), event);
      if (value === null) return;
      event.preventDefault();
      go(value);
    },
  });
  const go = (value) => {
    pressed.came(value);
    range.value = toPlace(value);
    set(value);
  };
  const number = entry(first.name, first.label, (words) => {
    pressed.end();
    set(words);
  });
  /* The value of a mark, and the focus, so that the arrow keys go on from there. */
  const jump = (value) => {
    go(value);
    range.focus();
  };
  const marks = make("div", { class: "it-marks" });
  const node = make("div", { class: "it-control" },
    make("label", { for: id }, first.label), make("div", { class: "it-slider" }, range), number.node,
    ...(first.marks?.length ? [marks] : []));
  for (const mark of first.marks ?? []) {
    marks.append(button(mark.label, () => jump(mark.at), { "aria-label": `set ${first.label} to ${mark.label}` }));
  }
  return {
    node,
    jump,
    put(state) {
      now = state;
      if (!held) range.value = toPlace(state.value);
      range.setAttribute("aria-valuetext", state.text);
      number.put(state.text);
    },
  };
}

/* A number or word to type: Enter or leaving the field sends it, Escape puts the old one back. */
function entry(name, label, set) {
  let shown = "";
  const input = make("input", {
    type: "text", "aria-label": label, "data-key": `entry-${name}`, spellcheck: "false",
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Enter") input.blur();
      if (event.key === "Escape") { input.value = shown; input.blur(); }
    },
    onblur: () => { if (input.value !== shown) set(input.value); },
  });
  return {
    node: input,
    put(words) {
      shown = words;
      if (document.activeElement !== input) input.value = words;
    },
  };
}

function field(first, set) {
  const made = entry(first.name, first.label, set);
  const node = make("div", { class: "it-control it-wide" }, make("span", {}, first.label), made.node);
  return { node, put: (state) => made.put(state.value) };
}

function choice(first, set) {
  const select = make("select", {
    "aria-label": first.label, "data-key": `choice-${first.name}`, onchange: () => set(select.value),
  }, ...first.options.map((name) => make("option", { value: name }, name)));
  const node = make("div", { class: "it-control it-wide" }, make("span", {}, first.label), select);
  return { node, put: (state) => { select.value = state.value; } };
}

function toggle(first, set) {
  const box = make("input", {
    type: "checkbox", "aria-label": first.label, "data-key": `toggle-${first.name}`,
    onchange: () => set(box.checked),
  });
  const node = make("div", { class: "it-control it-wide" }, make("span", {}, first.label), box);
  return { node, put: (state) => { box.checked = state.value; } };
}

/* A value that follows from others: said, not set. */
function fact(first) {
  const words = make("span");
  const node = make("div", { class: "it-control it-wide" }, make("span", {}, first.label), words);
  return { node, put: (state) => setText(words, state.value) };
}

/* A list of controls that is rebuilt when other controls come, and else only updated. */
function controlList(parent, send, verb) {
  let made = [];
  const set = (name, value) => send({ verb, name, value });
  return rebuilder(parent,
    (states) => { made = states.map((state) => control(state, set)); return made.map((one) => one.node); },
    (states) => states.forEach((state, i) => made[i].put(state)));
}

function shape(states) {
  return states.map(({ name, kind, options, low, high, label }) => [name, kind, options, low, high, label]);
}

/* A slider whose marks lie under the track where they belong, and may move; of two that are near
   each other the left one's words end at its tick and the right one's begin there. */

function marked(first, set) {
  const made = slider({ ...first, marks: [] }, set);
  const scale = make("div", { class: "it-scale" });
  made.node.append(scale);
  const draw = rebuilder(scale, (state) => state.marks.map((mark) => make("span", {},
    button(mark.label, () => made.jump(mark.at),
      { "aria-label": `set ${first.label} to ${mark.label}`, "data-key": `mark-${first.name}-${mark.label}` }))),
  (state) => {
    const shares = state.marks.map(({ at }) => shareAt(state, at));
    const nodes = [...scale.children];
    const room = (i, j) => (scale.clientWidth ? (nodes[i].offsetWidth + nodes[j].offsetWidth) / 2 / scale.clientWidth : 0.26);
    shares.forEach((share, i) => {
      const near = shares.map((other, j) => j !== i && Math.abs(other - share) < room(i, j) && Math.sign(other - share));
      const node = nodes[i];
      node.style.left = `calc(8px + ${share} * (100% - 16px))`;
      node.className = near.includes(-1) || share < 0.08 ? "it-after" : near.includes(1) || share > 0.92 ? "it-before" : "";
    });
  });
  return {
    node: made.node,
    put(state) {
      made.put(state);
      draw(state.marks, state);
    },
  };
}

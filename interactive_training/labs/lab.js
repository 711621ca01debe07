/* The parts of a lab that are not pictures. Python writes the state, this file draws it; what the
   learner does goes back as messages. All text is set as text, so no name can become a tag. */

const PARTS = { top, code, words, question, heading, racers };

function render({ model, el }) {
  const send = latestOnly((message) => model.send(message));
  // JupyterLab's own keys (Enter, arrows, single letters) would otherwise act on the cell.
  el.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  const part = PARTS[model.get("part")](el, send, model);
  const draw = () => {
    const state = model.get("state");
    if (state.sent !== undefined) part.draw(state);
  };
  const hear = (message) => part.hear && part.hear(message);
  model.on("change:state", draw);
  model.on("msg:custom", hear);
  draw();
  return () => {
    model.off("change:state", draw);
    model.off("msg:custom", hear);
    if (part.end) part.end();
  };
}

export default { render };

/* Messages of one control that come faster than the screen is painted replace one another, and the
   last one always goes out; different controls never wait for each other. */
function latestOnly(send) {
  const waiting = new Map();
  let asked = false;
  return (message) => {
    const key = message.verb + ":" + (message.name ?? "");
    if (waiting.has(key)) waiting.delete(key);
    waiting.set(message.name === undefined ? Symbol(key) : key, message);
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      for (const one of waiting.values()) send(one);
      waiting.clear();
    });
  };
}

/* -- small helpers ------------------------------------------------------------------------- */

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function button(words, press, attributes = {}) {
  return make("button", { type: "button", onclick: press, ...attributes }, words);
}

function setText(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/* Rebuild a piece of the page only when its structure changed, and keep the focus where it was. */
function rebuilder(parent, build, update) {
  let before = null;
  return (structure, state) => {
    const now = JSON.stringify(structure);
    if (now !== before) {
      const focused = parent.contains(document.activeElement)
        ? document.activeElement.getAttribute("data-key") : null;
      parent.replaceChildren(...build(state));
      before = now;
      if (focused) parent.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    }
    update(state);
  };
}

function asNumber(value, whole, digits = 3) {
  return whole ? Math.round(value) : Number(value.toPrecision(digits));
}

/* -- controls ------------------------------------------------------------------------------ */

const BUILD = { slider, choice, toggle, text: field, marked, fact };

/* One control: its node, and a function that puts a state into it. A control that the learner
   holds is left alone until it is let go. */
function control(state, set) {
  const made = BUILD[state.kind](state, (value) => set(state.name, value));
  made.node.setAttribute("data-control", state.name);
  return made;
}

function slider(first, set) {
  let now = first;
  const steps = 1000;
  const toPlace = (value) => {
    const { low, high, log } = now;
    const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return Math.round(steps * Math.min(1, Math.max(0, share)));
  };
  const toValue = (place) => {
    const { low, high, log, whole, digits } = now;
    const share = place / steps;
    return asNumber(log ? low * (high / low) ** share : low + (high - low) * share, whole, digits);
  };
  const id = `it-${first.name}-${Math.random().toString(36).slice(2, 8)}`;
  let held = false;
  const range = make("input", {
    type: "range", min: 0, max: steps, id, "data-key": `range-${first.name}`,
    oninput: () => { set(toValue(Number(range.value))); },
    onpointerdown: () => { held = true; },
    onpointerup: () => { held = false; },
    onchange: () => { held = false; },
    onkeydown: (event) => {
      const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      let place = Number(range.value) + by * (event.shiftKey ? 100 : 10);
      if (now.whole) {
        const next = now.value + by * (event.shiftKey ? 10 : 1);
        set(Math.min(now.high, Math.max(now.low, next)));
        return;
      }
      place = Math.min(steps, Math.max(0, place));
      range.value = place;
      set(toValue(place));
    },
  });
  const number = entry(first.name, first.label, set);
  const marks = make("div", { class: "it-marks" });
  const node = make("div", { class: "it-control" },
    make("label", { for: id }, first.label), make("div", { class: "it-slider" }, range), number.node,
    ...(first.marks?.length ? [marks] : []));
  for (const mark of first.marks ?? []) {
    marks.append(button(mark.label, () => set(mark.at), { "aria-label": `set ${first.label} to ${mark.label}` }));
  }
  return {
    node,
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

/* -- top: question, set-up, transport -------------------------------------------------------- */

function top(el, send) {
  const asked = make("span", { class: "it-question-text", role: "heading", "aria-level": "2" });
  const panel = make("div", { class: "it-panel", hidden: true });
  const list = make("div");
  const setup = button("", () => open(panel.hidden), { class: "it-plain it-quiet", "aria-expanded": "false", "data-key": "setup" });
  panel.append(list, make("div", { class: "it-note" }, "Each of these starts a new run."));
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { open(false); setup.focus(); }
  });
  function open(yes) {
    panel.hidden = !yes;
    setup.setAttribute("aria-expanded", String(yes));
  }
  const drawSetup = controlList(list, send, "setup");

  const run = button("Run", () => send({ verb: run.dataset.playing ? "pause" : "play" }), { class: "it-main", "data-key": "run" });
  const step = button("Step", () => send({ verb: "step" }), { class: "it-quiet", "data-key": "step" });
  let held = false;
  const rewind = make("input", {
    type: "range", min: 0, "data-key": "rewind",
    onpointerdown: () => { held = true; },
    oninput: () => setText(number, rewind.value),
    onchange: () => { held = false; send({ verb: "rewind", value: Number(rewind.value) }); },
  });
  const number = make("span", { class: "it-step-number" });
  const pace = make("select", { "aria-label": "pace", class: "it-quiet", "data-key": "pace", onchange: () => send({ verb: "pace", value: pace.value }) });
  const undo = button("Undo", () => send({ verb: "undo" }), { class: "it-quiet", "data-key": "undo" });
  const pin = button("Pin", () => send({ verb: "pin" }), { class: "it-quiet", "data-key": "pin" });
  const reset = button("Reset", () => send({ verb: "reset" }), { class: "it-quiet", "data-key": "reset" });
  const follow = () => {
    const lab = el.closest(".it-lab");
    const full = lab !== null && document.fullscreenElement === lab;
    if (full !== presenting) send({ verb: "present", value: (presenting = full) });
  };
  let presenting = false;
  document.addEventListener("fullscreenchange", follow);
  const present = button("", () => fullScreen(el), { class: "it-plain it-present", "aria-label": "presenter mode", title: "Presenter mode: full screen, large type" });

  el.append(
    make("div", { class: "it-head" }, asked, setup, panel),
    make("div", { class: "it-transport" }, run, step, make("label", { class: "it-rewind" }, "Rewind ", rewind), number,
      make("span", { class: "it-spacer" }), pace, undo, pin, reset, present));
  return {
    draw(state) {
      setText(asked, state.question);
      setText(setup, `${state.setup} \u25BE`);
      setText(run, state.playing ? "Pause" : "Run");
      if (state.playing) run.dataset.playing = "yes"; else delete run.dataset.playing;
      rewind.max = Math.max(1, state.index);
      if (!held) { rewind.value = state.index; setText(number, String(state.index)); }
      rewind.setAttribute("aria-valuetext", `step ${state.index}`);
      el.dataset.step = state.index;
      el.dataset.playing = state.playing;
      if (pace.options.length !== state.paces.length)
        pace.replaceChildren(...state.paces.map(([value, label]) => make("option", { value }, label)));
      pace.value = state.pace;
      undo.disabled = !state.undo;
      setText(pin, state.pin);
      for (const [node, name] of [[pace, "pace"], [undo, "undo"], [pin, "pin"], [reset, "reset"], [setup, "setup"], [step, "step"]])
        node.style.display = state.hidden.includes(name) ? "none" : "";
      drawSetup(shape(state.controls), state.controls);
    },
    end() {
      document.removeEventListener("fullscreenchange", follow);
    },
  };
}

function fullScreen(el) {
  const lab = el.closest(".it-lab");
  if (document.fullscreenElement) document.exitFullscreen();
  else lab.requestFullscreen();
}

/* -- code: lines, chips, drawer, learning rate, proof ----------------------------------------- */

function code(el, send) {
  const lines = make("div", { class: "it-lines", role: "group", "aria-label": "the lines of one training step" });
  const chips = make("div", { class: "it-chips", role: "group", "aria-label": "lines to add" });
  const proof = make("div", { class: "it-proof", role: "status" });
  const tools = make("div", { class: "it-tools" },
    button("Copy", () => send({ verb: "copy" }), { "data-key": "copy", title: "Copy the whole script" }),
    button("Prove", () => send({ verb: "prove" }), { "data-key": "prove", title: "Run the script and compare every loss" }),
    proof);
  const title = make("div", { class: "it-drawer-title" });
  const first = make("div");
  const rest = make("details", {}, make("summary", { "data-key": "more" }, "more"));
  const more = make("div");
  const note = make("div", { class: "it-note" });
  const rate = make("div", { class: "it-rate" });
  rest.append(more);
  const drawer = make("div", { class: "it-drawer" }, title, first, rest, note);
  el.append(lines, chips, tools, drawer, rate);

  const drawFirst = controlList(first, send, "set");
  const drawMore = controlList(more, send, "set");
  const drawRate = controlList(rate, send, "set");
  const drawLines = rebuilder(lines, (state) => state.lines.map((line, i) => lineOf(line, i, state, send)), (state) => {
    [...lines.children].forEach((node, i) => {
      const line = state.lines[i];
      node.classList.toggle("it-running", line.running);
      node.classList.toggle("it-selected", line.selected);
      node.classList.toggle("it-off", !line.on);
      const text = node.querySelector(".it-text");
      text.setAttribute("aria-pressed", String(line.selected));
      text.setAttribute("aria-label", `${node.title}${line.on ? "" : ", left out"}; Alt and an arrow key move it`);
      const tick = node.querySelector("input[type=checkbox]");
      if (tick) tick.checked = line.on;
    });
  });
  const drawChips = rebuilder(chips, (state) => state.chips.map((chip) =>
    button(`+ ${chip.label}`, () => send({ verb: "add", value: chip.name }), { "data-key": `chip-${chip.name}` })), () => {});

  return {
    draw(state) {
      drawLines(state.lines.map(({ at, stage, words, opens, first: top }) => [at, stage, words, opens, top]), state);
      drawChips([state.chips], state);
      setText(proof, state.proof.words);
      proof.className = "it-proof " + (state.proof.kind ? `it-${state.proof.kind}` : "");
      setText(title, state.drawer.title);
      drawFirst([state.drawer.title, shape(state.drawer.controls)], state.drawer.controls);
      drawMore([state.drawer.title, shape(state.drawer.more)], state.drawer.more);
      rest.style.display = state.drawer.more.length ? "" : "none";
      setText(note, state.drawer.note);
      drawRate(shape([state.rate]), [state.rate]);
    },
    hear(message) {
      if (message.copy !== undefined) copy(message.copy, proof);
    },
  };
}

function lineOf(line, i, state, send) {
  const key = keyOf(state.lines, i);
  const select = () => send({ verb: "select", value: line.opens });
  const text = make("span", { class: "it-text", role: "button", tabindex: "0", "data-key": `line-${key}`, onkeydown: (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.target !== text) return;
    if (by && event.altKey && line.at !== null) {
      event.preventDefault();
      send({ verb: "move", value: [line.at, neighbour(state.lines, i, by)] });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select();
    }
  } });
  for (const piece of line.words) {
    if (piece.field === undefined) { text.append(piece.text); continue; }
    const value = make("span", { class: "it-value", title: `edit ${piece.field}` }, piece.text);
    value.addEventListener("click", (event) => { event.stopPropagation(); edit(value, piece, send); });
    text.append(value);
  }
  const tick = make("label", { class: "it-tick", onclick: (event) => event.stopPropagation() });
  if (line.first) tick.append(make("input", {
    type: "checkbox", "data-key": `tick-${key}`, "aria-label": `keep the line ${text.textContent}`,
    onchange: () => send({ verb: "tick", value: line.at === null ? -1 : line.at }),
  }));
  const node = make("div", {
    title: text.textContent, class: "it-line", draggable: line.at === null ? "false" : "true", onclick: select,
    ondragstart: (event) => event.dataTransfer.setData("text/x-line", String(line.at)),
    ondragover: (event) => { event.preventDefault(); node.classList.add("it-over"); },
    ondragleave: () => node.classList.remove("it-over"),
    ondrop: (event) => {
      event.preventDefault();
      event.stopPropagation();
      node.classList.remove("it-over");
      const from = event.dataTransfer.getData("text/x-line");
      if (from !== "" && line.at !== null) send({ verb: "move", value: [Number(from), line.at] });
    },
  }, tick, text);
  return node;
}

/* A name that a line keeps when it moves, so that the focus moves with it. */
function keyOf(lines, i) {
  return `${lines[i].stage}-${lines.slice(0, i).filter((one) => one.stage === lines[i].stage).length}`;
}

/* The place of the next shown line above or below: lines that have nothing to do are skipped. */
function neighbour(lines, i, by) {
  for (let j = i + by; lines[j]; j += by)
    if (lines[j].at !== null && lines[j].at !== lines[i].at) return lines[j].at;
  return lines[i].at;
}

function edit(value, piece, send) {
  const made = entry(piece.field, piece.field, (words) => send({ verb: "set", name: piece.field, value: words }));
  made.put(piece.text);
  made.node.addEventListener("blur", () => made.node.replaceWith(value));
  value.replaceWith(made.node);
  made.node.select();
}

function copy(text, status) {
  navigator.clipboard?.writeText(text).then(
    () => setText(status, "Copied. Paste it into a file and run it."),
    () => setText(status, "The browser refused to copy; use lab.source() in a cell."));
}

/* -- words: one sentence, what to do, and why ------------------------------------------------- */

function words(el, send) {
  const sentence = make("div", { class: "it-sentence", "aria-live": "polite" });
  const buttons = make("div", { style: "display: flex; gap: 8px" });
  const why = make("div", { class: "it-why" });
  el.append(make("div", { class: "it-say" }, sentence, buttons), why);
  el.addEventListener("keydown", (event) => {
    const toggle = buttons.querySelector("[aria-expanded=true]");
    if (event.key === "Escape" && toggle) { toggle.click(); toggle.focus(); }
  });
  const drawButtons = rebuilder(buttons, (state) => state.buttons.map((one) =>
    button(one.label, () => send({ verb: one.verb, value: one.value }), { "data-key": one.verb + one.label })),
  (state) => buttons.querySelector("[data-key^=why]")?.setAttribute("aria-expanded", String(state.why.length > 0)));
  const drawWhy = rebuilder(why, (state) => state.why.map(([name, text]) =>
    make("div", {}, make("b", {}, `${name}: `), text)), () => {});
  return {
    draw(state) {
      setText(sentence, state.text);
      sentence.classList.toggle("it-failed", state.failed);
      drawButtons(state.buttons, state);
      drawWhy(state.why, state);
    },
  };
}

/* -- question: over the future of a picture, or between two cells ------------------------------- */

function question(el, send, model) {
  const ask = make("p");
  const answers = make("div", { class: "it-answers" });
  const sketch = sketchPad((points) => send({ verb: "draw", value: points }));
  const tools = make("div", { class: "it-ask-tools" });
  const bars = make("div", { class: "it-bars" });
  const problem = make("div", { class: "it-failed", role: "alert" });
  const box = make("div", { class: "it-ask", role: "group", "aria-label": "a question before you run", hidden: true },
    ask, answers, sketch.node, tools, bars, problem);
  el.append(box);
  const remember = memory(model, (kept) => send({ verb: "recall", value: kept }));
  let counting = false;
  let now = null;
  const count = () => { counting = !counting; draw(now); answers.querySelector("input")?.focus(); };
  const counted = () => send({ verb: "hands", value: [...answers.querySelectorAll("input")].map((one) => one.value) });
  const hands = (words, i, typed) => make("input", {
    type: "text", inputmode: "numeric", value: typed || "", "aria-label": `hands for ${words}`, "data-key": `hands-${i}`,
    onkeydown: (event) => { event.stopPropagation(); if (event.key === "Enter") counted(); },
    onchange: counted,
  });
  const drawTools = rebuilder(tools, (state) => {
    const drawing = state.draw ? [button("Done", sketch.done, { "data-key": "draw-done" }), button("Clear", sketch.clear, { "data-key": "draw-clear" })] : [];
    const again = button(state.guess === null ? "Answer" : "Change", () => send({ verb: "again" }), { "data-key": "answer-again" });
    const asked = [...drawing, button("Skip", () => send({ verb: "answer", value: -1 }), { class: "it-plain", "data-key": "answer-skip" })];
    const hands = button("Hands", count, { class: "it-plain", "data-key": "hands", "aria-pressed": String(counting), title: "Type in the counts of a show of hands" });
    return [...(state.mode === "ask" ? asked : [again]), ...(state.draw ? [] : [hands])];
  }, () => {});
  const drawAnswers = rebuilder(answers, (state) => {
    if (state.mode === "ask")
      return state.answers.map((words, i) => make("span", { class: "it-answer" },
        button(words, () => send({ verb: "answer", value: i }), { "data-key": `answer-${i}` }), counting ? hands(words, i, state.hands[i]) : null));
    return [make("span", { class: "it-guess" }, state.guess === null ? "Skipped." : `your guess: ${state.answers[state.guess]}`),
      ...(counting ? state.answers.map((words, i) => make("label", { class: "it-answer" }, words, hands(words, i, state.hands[i]))) : [])];
  }, (state) => {
    state.answers.forEach((words, i) => {
      const one = answers.querySelector(`[data-key="answer-${i}"]`);
      one?.classList.toggle("it-last-time", i === state.before);
      if (one) one.title = i === state.before ? "your guess last time" : "";
    });
  });
  const drawBars = rebuilder(bars, (state) => state.answers.map((words, i) => {
    const most = Math.max(1, ...state.hands);
    const bar = make("span", { class: "it-bar" });
    bar.style.width = `${(100 * (state.hands[i] ?? 0)) / most}%`;
    return make("div", { class: `it-bar-row ${i === state.truth ? "it-truth" : ""}` },
      make("span", {}, words),
      state.hands.length ? make("span", { class: "it-bar-track" }, bar) : null,
      state.hands.length ? make("span", { class: "it-count" }, String(state.hands[i])) : null,
      make("span", {}, make("span", { class: "it-guess" }, i === state.guess ? "your guess " : ""),
        i === state.truth ? "what happened" : ""));
  }), () => {});
  function draw(state) {
    now = state;
    if (state.key !== undefined) remember(state);
    box.hidden = state.mode === "";
    if (box.hidden) return;
    const drawing = state.mode === "ask" && state.draw;
    el.classList.toggle("it-over", Boolean(state.place));
    box.classList.toggle("it-drawing", drawing);
    el.style.cssText = state.place ? placed(state.place) : "";
    ask.replaceChildren(...state.text.split("`").map((piece, i) => (i % 2 ? make("code", {}, piece) : piece)));
    ask.hidden = state.mode === "bars" && state.quiet;
    answers.hidden = drawing || state.mode === "bars";
    sketch.node.hidden = !drawing;
    tools.hidden = state.mode === "bars";
    bars.hidden = state.mode !== "bars";
    bars.classList.toggle("it-counted", state.hands.length > 0);
    if (drawing) sketch.draw(state);
    drawTools([state.mode, state.draw, state.guess === null, counting], state);
    drawAnswers([state.mode, state.answers, state.guess, counting], state);
    if (state.mode === "bars") drawBars([state.answers, state.guess, state.hands, state.truth], state);
    setText(problem, state.problem);
  }
  return { draw };
}

/* The part of an axes that no curve has reached: margins in pixels, and where the future begins. */
function placed({ left, right, top, bottom, height, share }) {
  return `left: calc(${left}px + ${share} * (100% - ${left + right}px)); right: ${right}px; top: ${top}px; height: ${height - top - bottom}px;`;
}

/* What the notebook keeps of an answer: a few words in its own metadata, which are saved with it
   and outlive page, kernel and output. A front end that gives no way to them keeps nothing. */
function memory(model, recall) {
  const notebook = model.widget_manager?.context?.model;
  let first = true; // only an answer from before this page is recalled
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  return (state) => {
    if (typeof notebook?.getMetadata !== "function") return;
    const all = notebook.getMetadata("interactive_training") ?? {};
    const kept = Object.hasOwn(all.predictions ?? {}, state.key) ? all.predictions[state.key] : undefined;
    if (Object.keys(state.kept).length) {
      if (!same(kept, state.kept))
        notebook.setMetadata("interactive_training", { ...all, predictions: { ...all.predictions, [state.key]: state.kept } });
    } else if (kept !== undefined && first) recall(kept);
    first = false;
  };
}

/* A curve drawn over the future by mouse, touch or keys. Heights are shares of the axes, one for
   each of a few columns; what was not drawn at the beginning is a straight line from where the
   picture ends, and what was not drawn at the end stays open. */
function sketchPad(send) {
  const COLUMNS = 24;
  const svgOf = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const last = svgOf("polyline", { class: "it-sketch-last" });
  const line = svgOf("polyline", { class: "it-sketch-line" });
  const svg = svgOf("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(last, line);
  const dot = make("div", { class: "it-sketch-dot" });
  const node = make("div", {
    class: "it-sketch", tabindex: "0", role: "slider", "aria-label": "the curve you expect: left and right choose the step, up and down the height, Enter is Done",
    "data-key": "sketch", "aria-valuemin": "0", "aria-valuemax": "100",
    onpointerdown: (event) => { node.setPointerCapture(event.pointerId); held = null; move(event); },
    onpointermove: (event) => { if (node.hasPointerCapture(event.pointerId)) move(event); },
    onkeydown: (event) => key(event),
  }, svg, dot);
  let axes = null;
  let heights = [];
  let column = 1;
  let held = null; // the column and height where the pointer was last

  const clip = (share) => Math.min(1, Math.max(0, share));
  const toData = (i, share) => {
    const { x, y, log } = axes;
    return [x[0] + (i / COLUMNS) * (x[1] - x[0]), log ? y[0] * (y[1] / y[0]) ** share : y[0] + share * (y[1] - y[0])];
  };
  const toShare = ([at, value]) => {
    const { x, y, log } = axes;
    const up = log ? Math.log(value / y[0]) / Math.log(y[1] / y[0]) : (value - y[0]) / (y[1] - y[0]);
    return [(at - x[0]) / (x[1] - x[0]), clip(up)];
  };
  const drawn = () => heights.some((share) => share !== null);

  /* The drawn columns, with what lies between them. */
  function filled() {
    const known = heights.map((share, i) => [i, share]).filter(([, share]) => share !== null);
    if (known.length && known[0][0] > 0) known.unshift([0, axes.start]);
    const points = [];
    known.forEach(([i, share], k) => {
      if (!k) { points.push([i, share]); return; }
      const [j, before] = known[k - 1];
      for (let at = j + 1; at <= i; at++) points.push([at, before + ((share - before) * (at - j)) / (i - j)]);
    });
    return points;
  }

  function move(event) {
    const area = node.getBoundingClientRect();
    const to = [Math.round(COLUMNS * clip((event.clientX - area.left) / area.width)), 1 - clip((event.clientY - area.top) / area.height)];
    const [from, height] = held ?? to;
    const steps = Math.max(1, Math.abs(to[0] - from));
    for (let k = 0; k <= steps; k++)
      heights[from + Math.round(((to[0] - from) * k) / steps)] = height + ((to[1] - height) * k) / steps;
    heights[to[0]] = to[1];
    held = to;
    column = to[0];
    show();
  }

  function key(event) {
    const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter") done();
    else if (event.key === "Delete" || event.key === "Backspace") clear();
    else if (across) column = Math.min(COLUMNS, Math.max(1, column + across));
    else if (up) {
      const here = heights[column] ?? filled().at(-1)?.[1] ?? axes.start;
      const share = clip(here + up * (event.shiftKey ? 0.1 : 0.02));
      for (let i = column; i <= COLUMNS; i++) heights[i] = share; // from here on, until changed again
    } else return;
    event.preventDefault();
    event.stopPropagation();
    show();
  }

  function done() {
    if (drawn()) send(filled().map(([i, share]) => toData(i, share)));
    else node.focus();
  }

  function clear() {
    heights = new Array(COLUMNS + 1).fill(null);
    column = 1;
    show();
  }

  function show() {
    const points = filled();
    line.setAttribute("points", points.map(([i, share]) => `${i / COLUMNS},${1 - share}`).join(" "));
    const here = heights[column] ?? axes.start;
    dot.style.left = `${(100 * (drawn() ? column : 0)) / COLUMNS}%`;
    dot.style.top = `${100 * (1 - here)}%`;
    const [step, value] = toData(column, here);
    node.setAttribute("aria-valuenow", String(Math.round(100 * here)));
    node.setAttribute("aria-valuetext", `step ${Math.round(step)}: ${asNumber(value)}`);
    node.parentElement?.classList.toggle("it-begun", drawn());
  }

  return {
    node,
    done,
    clear,
    draw(state) {
      const fresh = JSON.stringify(axes) !== JSON.stringify(state.axes);
      axes = state.axes;
      last.setAttribute("points", state.sketch.map(toShare).map(([x, y]) => `${x},${1 - y}`).join(" "));
      if (fresh) clear();
    },
  };
}

/* -- marked slider: its marks lie under the track where they belong, and may move; of two that are
   near each other the left one's words end at its tick and the right one's begin there ----------- */

function marked(first, set) {
  const made = slider({ ...first, marks: [] }, set);
  const scale = make("div", { class: "it-scale" });
  made.node.append(scale);
  const draw = rebuilder(scale, (state) => state.marks.map((mark) => make("span", {},
    button(mark.label, () => set(mark.at),
      { "aria-label": `set ${first.label} to ${mark.label}`, "data-key": `mark-${first.name}-${mark.label}` }))),
  (state) => {
    const { low, high, log } = state;
    const shares = state.marks.map(({ at }) =>
      log ? Math.log(at / low) / Math.log(high / low) : (at - low) / (high - low));
    shares.forEach((share, i) => {
      const near = shares.map((other) => other !== share && Math.abs(other - share) < 0.26 && Math.sign(other - share));
      const node = scale.children[i];
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

/* -- heading: the question and a set-up that unfolds, for labs without a transport ---------------- */

function heading(el, send) {
  const asked = make("span", { class: "it-question-text", role: "heading", "aria-level": "2" });
  const list = make("div");
  const note = make("div", { class: "it-note" });
  const panel = make("div", { class: "it-panel", hidden: true }, list, note);
  const setup = button("", () => open(panel.hidden), { class: "it-plain it-quiet", "aria-expanded": "false", "data-key": "setup" });
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") { open(false); setup.focus(); } });
  function open(yes) {
    panel.hidden = !yes;
    setup.setAttribute("aria-expanded", String(yes));
  }
  const drawSetup = controlList(list, send, "setup");
  const present = button("", () => fullScreen(el), { class: "it-plain it-present", "aria-label": "presenter mode", title: "Presenter mode: full screen, large type" });
  const extras = make("span", { class: "it-extras" });
  const drawExtras = rebuilder(extras, (state) => state.extras.map((one) =>
    button(one.label, () => send({ verb: one.verb }), { "data-key": one.verb, "aria-pressed": String(one.on) })), () => {});
  el.append(make("div", { class: "it-head" }, asked, extras, setup, present, panel));
  let presenting = false;
  const follow = () => {
    const full = document.fullscreenElement !== null && document.fullscreenElement === el.closest(".it-lab");
    if (full !== presenting) send({ verb: "present", value: (presenting = full) });
  };
  document.addEventListener("fullscreenchange", follow);
  return {
    end() {
      document.removeEventListener("fullscreenchange", follow);
    },
    draw(state) {
      setText(asked, state.question);
      setText(setup, `${state.setup} \u25BE`);
      setText(note, state.note);
      drawExtras(state.extras, state);
      setup.style.display = state.hidden.includes("setup") ? "none" : "";
      drawSetup(shape(state.controls), state.controls);
    },
  };
}

/* -- racers: which one is steered, its controls, and what else it has ---------------------------- */

function racers(el, send) {
  const tabs = make("div", { class: "it-tabs", role: "group", "aria-label": "the racers" });
  const row = make("div", { class: "it-row-of-controls" });
  const list = make("div");
  const remove = button("Take this racer out", () => send({ verb: "remove" }), { "data-key": "remove" });
  const panel = make("div", { class: "it-panel it-up", hidden: true }, list, remove);
  const more = button("more", () => open(panel.hidden), { "aria-expanded": "false", "data-key": "more" });
  el.addEventListener("keydown", (event) => { if (event.key === "Escape") { open(false); more.focus(); } });
  function open(yes) {
    panel.hidden = !yes;
    more.setAttribute("aria-expanded", String(yes));
  }
  el.append(tabs, row, more, panel);
  const drawRow = controlList(row, send, "set");
  const drawMore = controlList(list, send, "set");
  const drawTabs = rebuilder(tabs, (state) => [
    ...state.tabs.map((tab, i) => button("", () => send({ verb: "select", value: i }), {
      class: `it-tab it-${tab.lane}`, "aria-pressed": String(i === state.selected), "data-key": `tab-${i}`,
      title: tab.optimizer,
    })),
    ...(state.full ? [] : [button("+ racer", () => send({ verb: "add" }), { "data-key": "add", title: "A second optimizer from the same start" })]),
  ], (state) => state.tabs.forEach((tab, i) => setText(tabs.children[i], tab.name)));
  return {
    draw(state) {
      drawTabs([state.tabs.map((tab) => [tab.lane, tab.optimizer]), state.selected, state.full], state);
      drawRow([state.selected, shape(state.controls)], state.controls);
      drawMore([state.selected, shape(state.more)], state.more);
      remove.style.display = state.selected ? "" : "none";
    },
  };
}

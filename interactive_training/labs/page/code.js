/* The code of a training step: lines, chips, drawer, learning rate, proof. */

function code(el, send) {
  const lines = make("div", { class: "it-lines", role: "group", "aria-label": "the lines of one training step" });
  const chips = make("div", { class: "it-chips", role: "group", "aria-label": "lines to add" });
  const proof = make("div", { class: "it-proof", role: "status" });
  const tools = make("div", { class: "it-tools" },
    button("Copy", () => send({ verb: "copy" }), { "data-key": "copy", title: "Copy the whole script" }),
    button("Prove", () => send({ verb: "prove" }), { "data-key": "prove", title: "Run the script and compare every loss" }),
    proof);
  const drawer = drawerOf(send);
  const rate = make("div", { class: "it-rate" });
  el.append(lines, chips, tools, drawer.node, rate);

  const drawRate = controlList(rate, send, "set");
  let made = [];
  let now = null;
  const drawLines = rebuilder(lines, (state) => {
    made = state.lines.map((line, i) =>
      lineOf(line, keyOf(state.lines, i), (by) => neighbour(now.lines, i, by), send));
    return made.map((one) => one.node);
  }, (state) => state.lines.forEach((line, i) => made[i].put(line)));
  const drawChips = rebuilder(chips, (state) => state.chips.map((chip) =>
    button(`+ ${chip.label}`, () => send({ verb: "add", value: chip.name }), { "data-key": `chip-${chip.name}` })), () => {});

  return {
    draw(state) {
      now = state;
      drawLines(state.lines.map(({ at, stage, words, opens, first: top }) =>
        [at, stage, words.map((piece) => piece.control?.name ?? piece.text), opens, top]), state);
      drawChips([state.chips], state);
      setText(proof, state.proof.words);
      proof.className = "it-proof " + (state.proof.kind ? `it-${state.proof.kind}` : "");
      drawer.node.hidden = !state.drawer;
      if (state.drawer) drawer.draw(state.drawer);
      rate.hidden = !state.rate;
      if (state.rate) drawRate(shape([state.rate]), [state.rate]);
    },
    hear(message) {
      if (message.copy !== undefined) copy(message.copy, proof);
    },
  };
}

/* What the selected line opens: what it is and does, three controls, and the rest on request. */
function drawerOf(send) {
  const title = make("span", { class: "it-drawer-title" });
  const note = make("span");
  const more = button("more", () => open(rest.hidden), { class: "it-plain it-more", "data-key": "more", "aria-expanded": "false" });
  const first = make("div");
  const rest = make("div", { class: "it-rest", hidden: true });
  const drawFirst = controlList(first, send, "set");
  const drawRest = controlList(rest, send, "set");
  function open(yes) {
    rest.hidden = !yes;
    more.setAttribute("aria-expanded", String(yes));
    setText(more, yes ? "less" : "more");
  }
  return {
    node: make("div", { class: "it-drawer" }, make("div", { class: "it-note" }, more, title, " ", note), first, rest),
    draw(state) {
      setText(title, state.title);
      setText(note, state.note);
      more.hidden = state.more.length === 0;
      drawFirst([state.title, shape(state.controls)], state.controls);
      drawRest([state.title, shape(state.more)], state.more);
    },
  };
}

/* One line: its tick, a button that opens its drawer, and the values in it. */
function lineOf(first, key, toNeighbour, send) {
  let now = first;
  const select = () => send({ verb: "select", value: now.opens });
  const values = [];
  const [head, ...tail] = first.words.map((piece, i) => {
    if (piece.control) {
      const value = valueOf(piece, key, send);
      values.push([i, value]);
      return value.node;
    }
    return i ? piece.text : make("span", { class: "it-open", role: "button", tabindex: "0", "data-key": `line-${key}`, onkeydown: keys }, piece.text);
  });
  function keys(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by && event.altKey && now.at !== null) {
      event.preventDefault();
      send({ verb: "move", value: [now.at, toNeighbour(by)] });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select();
    }
  }
  const words = () => now.words.map((piece) => piece.text).join("");
  const box = first.first ? make("input", {
    type: "checkbox", "data-key": `tick-${key}`,
    onchange: () => send({ verb: "tick", value: now.at === null ? -1 : now.at }),
  }) : null;
  const tick = make("label", { class: "it-tick", onclick: (event) => event.stopPropagation() }, box);
  const node = make("div", {
    class: "it-line", draggable: first.at === null ? "false" : "true", onclick: select,
    ondragstart: (event) => event.dataTransfer.setData("text/x-line", String(now.at)),
    ondragover: (event) => { event.preventDefault(); node.classList.add("it-over"); },
    ondragleave: () => node.classList.remove("it-over"),
    ondrop: (event) => {
      event.preventDefault();
      event.stopPropagation();
      node.classList.remove("it-over");
      const from = event.dataTransfer.getData("text/x-line");
      if (from !== "" && now.at !== null) send({ verb: "move", value: [Number(from), now.at] });
    },
  }, tick, make("span", { class: "it-text" }, head, ...tail));
  return {
    node,
    put(line) {
      now = line;
      node.title = words();
      node.classList.toggle("it-running", line.running);
      node.classList.toggle("it-selected", line.selected);
      node.classList.toggle("it-off", !line.on);
      head.setAttribute("aria-pressed", String(line.selected));
      head.setAttribute("aria-label", `${words()}${line.on ? "" : ", left out"}; Alt and an arrow key move it`);
      for (const [i, value] of values) value.put(line.words[i]);
      if (box === null) return;
      box.checked = line.on;
      box.setAttribute("aria-label", `keep the line ${words()}`);
    },
  };
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

/* A value inside a line. The up and down keys move it as they would its slider; a click, Enter or
   the first character of a number opens a field to type in. */
function valueOf(first, key, send) {
  const { name, label, low, high } = first.control;
  let now = first;
  const pressed = presses();
  const node = make("span", {
    class: "it-value", role: "spinbutton", tabindex: "0", "data-key": `value-${key}-${name}`,
    "aria-label": label, "aria-valuemin": low, "aria-valuemax": high, title: `${label}: up and down keys, or type`,
    onclick: (event) => { event.stopPropagation(); edit(now.text); },
    onkeydown: (event) => {
      const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
      const value = sideways ? null : nudged(pressed.from(now.control), event);
      if (value !== null) {
        pressed.came(value);
        send({ verb: "set", name, value });
      } else if (event.key === "Enter") edit(now.text);
      else if (/^[0-9.-]$/.test(event.key)) edit(event.key);
      else return;
      event.preventDefault();
    },
  });
  function edit(begun) {
    const made = entry(name, label, (words) => {
      pressed.end();
      send({ verb: "set", name, value: words });
    });
    const input = made.node;
    made.put(now.text);
    input.addEventListener("blur", () => input.replaceWith(node));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") node.focus();
    });
    node.replaceWith(input);
    input.value = begun;
    input.focus();
    if (begun === now.text) input.select();
  }
  return {
    node,
    put(piece) {
      now = piece;
      setText(node, piece.text);
      node.setAttribute("aria-valuenow", piece.control.value);
      node.setAttribute("aria-valuetext", piece.text);
    },
  };
}

function copy(text, status) {
  navigator.clipboard?.writeText(text).then(
    () => setText(status, "Copied. Paste it into a file and run it."),
    () => setText(status, "The browser refused to copy; use lab.source() in a cell."));
}

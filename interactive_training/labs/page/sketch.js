/* A curve drawn over the future by mouse, touch or keys. Heights are shares of the axes, one for
   each of a few columns; what was not drawn at the beginning is a straight line from where the
   picture ends, and what was not drawn at the end stays open. */
function sketchPad(send) {
  const COLUMNS = 24;
  const WORDS = 0.35; // of the height, which the question's words take at most
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
      const shares = state.sketch.map(toShare);
      last.setAttribute("points", shares.map(([x, y]) => `${x},${1 - y}`).join(" "));
      const near = (edge) => shares.filter(([, y]) => Math.abs(y - edge) < WORDS).length;
      node.parentElement?.classList.toggle("it-high", near(1) > near(0));
      if (fresh) clear();
    },
  };
}

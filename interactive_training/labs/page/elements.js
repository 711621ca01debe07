/* Small helpers that make elements and keep the focus where it was. */

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

/* A button that unfolds a panel of `el`; Escape and a press elsewhere close it. `end` takes its
   listener off the page. */
function unfolding(el, panel, words, attributes) {
  const node = button(words, () => open(panel.hidden), { "aria-expanded": "false", ...attributes });
  function open(yes) {
    panel.hidden = !yes;
    node.setAttribute("aria-expanded", String(yes));
  }
  const elsewhere = ({ target }) => {
    if (!panel.hidden && !panel.contains(target) && target !== node) open(false);
  };
  document.addEventListener("pointerdown", elsewhere, true);
  el.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    open(false);
    node.focus();
  });
  return { node, end: () => document.removeEventListener("pointerdown", elsewhere, true) };
}

function asNumber(value, whole, digits = 3) {
  return whole ? Math.round(value) : Number(value.toPrecision(digits));
}

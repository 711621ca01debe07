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

/* Opens and closes a panel that its button unfolds; Escape and a press elsewhere close it. `end`
   takes its listener off the page. */
function unfolding(el, button, panel) {
  function open(yes) {
    panel.hidden = !yes;
    button.setAttribute("aria-expanded", String(yes));
  }
  const elsewhere = (event) => {
    if (!panel.hidden && !panel.contains(event.target) && event.target !== button) open(false);
  };
  document.addEventListener("pointerdown", elsewhere, true);
  button.addEventListener("click", () => open(panel.hidden));
  el.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    open(false);
    button.focus();
  });
  return () => document.removeEventListener("pointerdown", elsewhere, true);
}

function asNumber(value, whole, digits = 3) {
  return whole ? Math.round(value) : Number(value.toPrecision(digits));
}

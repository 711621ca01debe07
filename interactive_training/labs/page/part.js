/* The parts of a lab that are not pictures. Python writes the state, these files draw it; what the
   learner does goes back as messages. All text is set as text, so no name can become a tag.

   The browser gets the files of this folder joined, as one module: they hold functions, each of
   which may call any other, and only this one exports. */

const PARTS = { top, code, words, question, heading, racers };

function render({ model, el }) {
  const send = latestOnly((message) => model.send(message));
  // JupyterLab's own keys would otherwise act on the cell: arrows, single letters, and Shift or
  // Control with Enter, which would begin the lab anew.
  el.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key === "Enter") event.stopPropagation();
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

/* A message goes out at once; what comes after it before the screen is painted waits, and messages
   of one control replace one another there. The last one always goes out; different controls never
   wait for each other. */
function latestOnly(send) {
  const waiting = new Map();
  let resting = false;
  const flush = () => {
    resting = waiting.size > 0;
    if (resting) requestAnimationFrame(flush);
    for (const one of waiting.values()) send(one);
    waiting.clear();
  };
  return (message) => {
    const key = message.verb + ":" + (message.name ?? "");
    if (waiting.has(key)) waiting.delete(key);
    waiting.set(message.name === undefined ? Symbol(key) : key, message);
    if (!resting) flush();
  };
}

/* The text line: one sentence, what to do, and why. A screen reader has it from a line of its own,
   which waits until the sentence before is read. */

const SPEECH_REST = 2000; // ms between two sentences

function words(el, send) {
  const sentence = make("div", { class: "it-sentence", "aria-hidden": "true" });
  const spoken = make("div", { class: "it-spoken", "aria-live": "polite" });
  const buttons = make("div", { style: "display: flex; gap: 8px" });
  const why = make("div", { class: "it-why" });
  el.append(make("div", { class: "it-say" }, sentence, spoken, buttons), why);
  el.addEventListener("keydown", (event) => {
    const toggle = buttons.querySelector("[aria-expanded=true]");
    if (event.key === "Escape" && toggle) { toggle.click(); toggle.focus(); }
  });
  let resting = 0;
  const speak = () => {
    if (resting || spoken.textContent === sentence.textContent) return;
    spoken.textContent = sentence.textContent;
    resting = setTimeout(() => {
      resting = 0;
      speak();
    }, SPEECH_REST);
  };
  const drawButtons = rebuilder(buttons, (state) => state.buttons.map((one) =>
    button(one.label, () => send({ verb: one.verb, value: one.value }), { "data-key": one.verb + (one.value ?? one.label) })),
  (state) => buttons.querySelector("[data-key^=why]")?.setAttribute("aria-expanded", String(state.why.length > 0)));
  const close = button("Close", () => send({ verb: "why" }), { class: "it-plain it-close", "data-key": "close" });
  const drawWhy = rebuilder(why, (state) => [...(state.why.length ? [close] : []), ...state.why.map(([name, text]) =>
    make("div", {}, make("b", {}, `${name}: `), text))], () => {});
  return {
    draw(state) {
      setText(sentence, state.text);
      speak();
      sentence.classList.toggle("it-failed", state.failed);
      drawButtons(state.buttons, state);
      drawWhy(state.why, state);
    },
    end: () => clearTimeout(resting),
  };
}

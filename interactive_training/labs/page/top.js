/* The top of a training lab: the question and the set-up, then the transport. */

function top(el, send) {
  const head = headOf(el, send);
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
  const reset = button("Reset", () => send({ verb: "reset" }), { class: "it-quiet", "data-key": "reset", title: "Start again at step 0 with the same code" });
  const hideable = { pace, undo, pin, reset, step };

  el.append(
    make("div", { class: "it-head" }, head.asked, head.setup, head.panel),
    make("div", { class: "it-transport" }, run, step, make("label", { class: "it-rewind" }, "Rewind ", rewind), number,
      make("span", { class: "it-spacer" }), pace, undo, pin, reset, head.present));
  return {
    draw(state) {
      head.draw(state);
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
      for (const [name, node] of Object.entries(hideable)) node.style.display = state.hidden.includes(name) ? "none" : "";
    },
    end: head.end,
  };
}

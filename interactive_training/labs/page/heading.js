/* The top of a lab: the question, the set-up that unfolds, and the presenter mode. */

function heading(el, send) {
  const head = headOf(el, send);
  const extras = make("span", { class: "it-extras" });
  const drawExtras = rebuilder(extras, (state) => state.extras.map((one) =>
    button(one.label, () => send({ verb: one.verb }), { "data-key": one.verb, "aria-pressed": one.on === null ? null : String(one.on) })), () => {});
  el.append(make("div", { class: "it-head" }, head.asked, extras, head.setup, head.present, head.panel));
  return {
    draw(state) {
      head.draw(state);
      drawExtras(state.extras, state);
    },
    end: head.end,
  };
}

/* What the top of every lab has; the lab puts the pieces where it wants them. */
function headOf(el, send) {
  const asked = make("span", { class: "it-question-text", role: "heading", "aria-level": "2" });
  const list = make("div");
  const note = make("div", { class: "it-note" });
  const panel = make("div", { class: "it-panel", hidden: true }, list, note);
  const { node: setup, end: endSetup } = unfolding(el, panel, "", { class: "it-plain it-quiet", "data-key": "setup" });
  const drawSetup = controlList(list, send, "setup");
  const presenter = presenterOf(el, send);
  return {
    asked, setup, panel,
    present: presenter.node,
    draw(state) {
      setText(asked, state.question);
      setText(setup, `${state.setup} \u25BE`);
      setText(note, state.note);
      setup.style.display = state.hidden.includes("setup") ? "none" : "";
      drawSetup(shape(state.controls), state.controls);
      presenter.draw(state);
    },
    end() {
      presenter.end();
      endSetup();
    },
  };
}

/* The button for the presenter mode: the lab alone on the whole screen. However it ends, Python is
   told, which draws its pictures at another size. A page that was loaded again is not full screen. */
function presenterOf(el, send) {
  let presenting = false;
  let drawn = false;
  const follow = () => {
    const lab = el.closest(".it-lab");
    const full = lab !== null && document.fullscreenElement === lab;
    if (full !== presenting) send({ verb: "present", value: (presenting = full) });
  };
  const turn = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else el.closest(".it-lab").requestFullscreen();
  };
  document.addEventListener("fullscreenchange", follow);
  return {
    node: button("", turn, { class: "it-plain it-present", "aria-label": "presenter mode", title: "Full screen, for a class; Ctrl and + enlarge, Esc comes back" }),
    draw(state) {
      if (!drawn && state.presenting && !document.fullscreenElement) send({ verb: "present", value: false });
      drawn = true;
    },
    end: () => document.removeEventListener("fullscreenchange", follow),
  };
}

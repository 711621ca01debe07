/* A question: over the future of a picture, or between two cells. */

const DOUBLE_CLICK = 500; // ms in which a second click is meant for what was there before

function question(el, send, model) {
  const ask = make("p");
  const answers = make("div", { class: "it-answers" });
  const sketch = sketchPad((points) => send({ verb: "draw", value: points }));
  const tools = make("div", { class: "it-ask-tools" });
  const bars = make("div", { class: "it-bars" });
  const problem = make("div", { class: "it-failed", role: "alert" });
  const box = make("div", { class: "it-ask", role: "group", "aria-label": "a question before you run", hidden: true },
    ask, answers, sketch.node, bars, tools, problem);
  el.append(box);
  const remember = memory(model, (kept) => send({ verb: "recall", value: kept }));
  let counting = false;
  let folded = false;
  let now = null;
  let moved = -Infinity; // when the answers last moved away from under the pointer
  const count = () => { counting = !counting; moved = performance.now(); draw(now); answers.querySelector("input")?.focus(); };
  const answer = (i) => { if (performance.now() - moved > DOUBLE_CLICK) send({ verb: "answer", value: i }); };
  const tells = (state) => state.mode === "bars" || state.mode === "told"; // how it went
  const folds = (state) => state.mode === "bars" && state.folds;
  const shuts = (state) => folded && folds(state);
  const fold = () => { folded = !folded; draw(now); };
  const clear = () => {
    for (const field of answers.querySelectorAll("input")) field.value = "";
    send({ verb: "forget" });
  };
  const counted = () => {
    moved = -Infinity; // whoever types has seen where the answers are now
    send({ verb: "hands", value: [...answers.querySelectorAll("input")].map((one) => one.value) });
  };
  const hands = (words, i, typed) => make("input", {
    type: "text", inputmode: "numeric", value: typed || "", "aria-label": `hands for ${words}`, "data-key": `hands-${i}`,
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key !== "Enter") return;
      counted();
      answers.querySelector(`[data-key="hands-${i + 1}"]`)?.focus();
    },
    onchange: counted,
  });
  const drawTools = rebuilder(tools, (state) => {
    const shut = folds(state) ? [button(folded ? "Show hands" : "Hide hands", fold, { class: "it-plain", "data-key": "fold" })] : [];
    if (shuts(state)) return shut;
    const drawing = state.draw ? [button("Done", sketch.done, { "data-key": "draw-done" }), button("Clear", sketch.clear, { "data-key": "draw-clear" })] : [];
    const forget = state.clearable && (counting || tells(state))
      ? [button("Clear", clear, { class: "it-plain", "data-key": "forget", title: "For another class: forget all hands and answers" })] : [];
    const again = button(state.guess === null ? "Answer" : "Change", () => send({ verb: "again" }), { "data-key": "answer-again" });
    const asked = [...drawing, button(state.skip, () => answer(-1), { class: "it-plain", "data-key": "answer-skip" })];
    const hands = button("Hands", count, { class: "it-plain", "data-key": "hands", "aria-pressed": String(counting), title: "Count hands, for a class" });
    const first = tells(state) ? shut : state.mode === "ask" ? asked : [again];
    return [...first, ...forget, ...(state.draw ? [] : [hands])];
  }, () => {});
  const drawAnswers = rebuilder(answers, (state) => {
    const asked = counting ? [make("span", { class: "it-hands-asked" }, "How many hands for each answer?")] : [];
    if (state.mode === "ask")
      return [...asked, ...state.answers.map((words, i) => make("span", { class: "it-answer" },
        button(words, () => answer(i), { "data-key": `answer-${i}`, tabindex: counting ? -1 : 0 }), counting ? hands(words, i, state.hands[i]) : null))];
    const said = state.guess === null ? (state.hands.length ? "" : "Skipped.") : `your guess: ${state.answers[state.guess]}`;
    return [...(tells(state) ? [] : [make("span", { class: "it-guess" }, said)]),
      ...asked, ...(counting ? state.answers.map((words, i) => make("label", { class: "it-answer" }, words, hands(words, i, state.hands[i]))) : [])];
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
        i === state.truth ? "came true" : ""));
  }), () => {});
  function draw(state) {
    now = state;
    if (state.key !== undefined) remember(state);
    box.hidden = state.mode === "";
    if (box.hidden) return;
    const drawing = state.mode === "ask" && state.draw;
    const tucked = state.below !== undefined && state.mode === "told" && !counting;
    el.classList.toggle("it-over", Boolean(state.place));
    box.classList.toggle("it-drawing", drawing);
    box.classList.toggle("it-told", tells(state));
    el.classList.toggle("it-tucked", tucked);
    el.style.cssText = state.place ? placed(state.place) : tucked ? `--it-top: ${state.below}px;` : "";
    ask.replaceChildren(...state.text.split("`").map((piece, i) => (i % 2 ? make("code", {}, piece) : piece)));
    ask.hidden = tells(state) && (state.quiet || folded);
    answers.hidden = drawing || (tells(state) && (!counting || shuts(state)));
    sketch.node.hidden = !drawing;
    bars.hidden = state.mode !== "bars" || folded;
    bars.classList.toggle("it-counted", state.hands.length > 0);
    if (drawing) sketch.draw(state);
    drawTools([state.mode, state.draw, state.skip, state.guess === null, counting, folded, state.folds, state.clearable], state);
    drawAnswers([tells(state) || state.mode, state.answers, state.guess, counting], state);
    if (state.mode === "bars") drawBars([state.answers, state.guess, state.hands, state.truth], state);
    setText(problem, shuts(state) ? "" : state.problem);
  }
  return { draw };
}

/* The part of an axes that no curve has reached: margins in pixels, and where the future begins. */
function placed({ left, right, top, bottom, height, share }) {
  return `--it-left: calc(${left}px + ${share} * (100% - ${left + right}px)); --it-right: ${right}px; --it-top: ${top}px; --it-height: ${height - top - bottom}px;`;
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
    if (state.forgotten && kept !== undefined) {
      const { [state.key]: gone, ...others } = all.predictions;
      notebook.setMetadata("interactive_training", { ...all, predictions: others });
    } else if (Object.keys(state.kept).length) {
      if (!same(kept, state.kept))
        notebook.setMetadata("interactive_training", { ...all, predictions: { ...all.predictions, [state.key]: state.kept } });
    } else if (kept !== undefined && first) recall(kept);
    first = false;
  };
}

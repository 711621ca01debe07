/* The racers of the bowl: which one is steered, its controls, and what else it has. */

function racers(el, send) {
  const tabs = make("div", { class: "it-tabs", role: "group", "aria-label": "the racers" });
  const row = make("div", { class: "it-row-of-controls" });
  const list = make("div");
  const remove = button("Take this racer out", () => send({ verb: "remove" }), { "data-key": "remove" });
  const panel = make("div", { class: "it-panel it-up", hidden: true }, list, remove);
  const { node: more, end } = unfolding(el, panel, "more", { "data-key": "more" });
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
      el.dataset.lane = state.tabs[state.selected].lane;
    },
    end,
  };
}

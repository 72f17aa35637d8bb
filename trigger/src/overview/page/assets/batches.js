// The page of all batches.

function batchLine(data, batch) {
  const sum = (is) => data.states.filter(is).reduce((all, state) => all + (batch.states[state] ?? 0), 0);
  const left = sum(isUnderWay), failed = sum(hasFailed);
  const when = batch.under_way
    ? (batch.seconds_left === null ? "under way" : `about ${duration(batch.seconds_left)} left`)
    : (batch.ended === null ? "ended" : `ended ${time(batch.ended)}`);
  return el("tr", {},
    el("th", { scope: "row" }, el("a", { href: `${address(batch.name)}/index.html` }, batch.name), el("span", { class: "quiet below" }, batch.output)),
    el("td", { class: "progress" }, stateBar(data.states, batch.states, batch.datasets),
      el("span", { class: "quiet below" }, `${count(batch.datasets - left)} of ${count(batch.datasets)} ended`)),
    el("td", { class: failed ? "number bad" : "number" }, count(failed)),
    el("td", {}, el("span", { class: batch.under_way ? "moving" : "" }, when)),
    el("td", { class: "number" }, money(batch.cost_so_far, batch.currency),
      batch.under_way ? el("span", { class: "quiet below" }, `of ${money(batch.cost_expected, batch.currency)}`) : null),
    el("td", {}, batch.began === null ? "" : time(batch.began)));
}

function batchesPage(data) {
  const { batches } = data;
  const under = batches.filter((batch) => batch.under_way).length;
  document.getElementById("top").append(el("h1", {}, "Batches"),
    el("p", { class: "quiet" }, "as of ", timeElement(data.at), `, ${ago(data.at)}`));
  const body = el("tbody");
  const said = el("p", { role: "status", "aria-live": "polite", class: "said" });
  const search = el("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", on: { input: () => update() } });
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = batches.filter((b) => words.every((word) => `${b.name} ${b.output}`.toLowerCase().includes(word)));
    body.replaceChildren(...shown.map((batch) => batchLine(data, batch)));
    said.textContent = `${plural(shown.length, "batch", "batches")}, ${count(under)} under way`;
  };
  const titles = ["batch", "progress", "failed", "when", "cost", "began"];
  document.getElementById("content").append(el("section", { "aria-label": "All batches" },
    batches.length > 10 ? el("div", { class: "filters", role: "search" }, el("div", { class: "field" }, el("label", { for: "search" }, "search"), search)) : "",
    said,
    el("div", { class: "wide" }, el("table", { class: "batches" }, el("caption", { class: "unseen" }, "Batches, those under way first"),
      el("thead", {}, el("tr", {}, titles.map((title) => el("th", { scope: "col" }, title)))), body)),
    batches.length ? "" : el("p", { class: "empty" }, "There are no batches.")));
  update();
}

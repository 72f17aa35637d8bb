// The page of one batch.

function legend(data, choose) {
  const buttons = new Map();
  const list = el("ul", { class: "legend" }, data.states.filter((state) => data.summary.states[state]).map((state) => {
    const button = el("button", { type: "button", "aria-pressed": "false", title: MEANING[state], on: { click: () =>
      choose(button.getAttribute("aria-pressed") === "true" ? "" : state) } },
      el("span", { class: `swatch s-${state}` }), el("span", { class: "word" }, state),
      el("strong", {}, count(data.summary.states[state])), el("span", { class: "quiet" }, percent(data.summary.states[state], data.summary.datasets)));
    buttons.set(state, button);
    return el("li", {}, button);
  }));
  const press = (chosen) => buttons.forEach((button, state) => button.setAttribute("aria-pressed", String(state === chosen)));
  return { list, press };
}

function facts(data) {
  const { summary } = data;
  const tile = (title, value, more) => el("div", {}, el("dt", {}, title), el("dd", {}, value, more ? el("span", { class: "quiet" }, more) : null));
  const speed = summary.per_hour === null ? "–" : count(Math.round(summary.per_hour));
  return el("dl", { class: "facts" },
    summary.under_way
      ? tile("time left", summary.seconds_left === null ? "not known yet" : `about ${duration(summary.seconds_left)}`)
      : tile("under way", "nothing"),
    tile("datasets an hour", speed, summary.under_way ? `${count(Math.round(summary.recent_per_hour))} in the last 15 minutes` : "overall"),
    tile("cost so far", money(summary.cost_so_far, summary.currency), summary.under_way ? `${money(summary.cost_expected, summary.currency)} expected in all` : null),
    tile("retries", count(summary.retries), "jobs beyond the first"));
}

function reasonsTable(data, table) {
  const { failures } = data.summary;
  if (!failures.length) return el("p", { class: "quiet" }, "No dataset failed.");
  const remedies = new Map(data.columns.reasons.toReversed().map((r) => [r.reason, r.remedy]));
  return el("div", { class: "wide" }, el("table", { class: "reasons" },
    el("caption", { class: "unseen" }, "Failures by reason, the most frequent first"),
    el("thead", {}, el("tr", {}, ["datasets", "reason", "what to do", "for example"].map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, failures.map((failure) => el("tr", {},
      el("td", { class: "number" }, count(failure.datasets)),
      el("th", { scope: "row" }, el("button", { type: "button", class: "name", on: { click: () => {
        table.set({ words: "", state: "", instrument: "", reason: failure.reason });
        document.getElementById("datasets").scrollIntoView();
        table.choices.reason.focus({ preventScroll: true });
      } } }, failure.reason)),
      el("td", {}, remedies.get(failure.reason) ?? ""),
      el("td", {}, el("button", { type: "button", class: "name", on: { click: () => openDataset(table, failure.example) } }, failure.example)))))));
}

function openDataset(table, name) {
  if (table.show(name)) document.getElementById("datasets").scrollIntoView();
}

function warnings(data, table) {
  const { stuck } = data.summary;
  if (!stuck.length) return null;
  return el("p", { class: "warning" }, el("strong", {}, plural(stuck.length, "dataset has", "datasets have")),
    " been processing for longer than allowed: ",
    stuck.slice(0, 5).map((name, at) => [at ? ", " : "", el("button", { type: "button", class: "name", on: { click: () => openDataset(table, name) } }, name)]));
}

function batchPage(data) {
  const rows = new Rows(data);
  const { summary } = data;
  const states = legend(data, (state) => table.set({ state }));
  const gallery = new Gallery(rows, (name) => openDataset(table, name));
  const table = new DatasetTable(rows, (chosen, filter) => {
    states.press(filter.state);
    gallery.choose(chosen);
  });
  const left = data.states.filter(isUnderWay).reduce((sum, state) => sum + (summary.states[state] ?? 0), 0);
  const failed = data.states.filter(hasFailed).reduce((sum, state) => sum + (summary.states[state] ?? 0), 0);
  const progress = progressChart(rows), needs = memoryChart(rows);
  document.getElementById("top").append(
    data.all === null ? "" : el("nav", { "aria-label": "Pages" }, el("a", { href: data.all }, "All batches")),
    el("h1", {}, data.name), el("p", { class: "where" }, el("code", {}, data.output)),
    el("p", { class: "quiet" }, "as of ", timeElement(data.at), `, ${ago(data.at)}`));
  document.getElementById("content").append(
    el("section", { class: "first", "aria-label": "How far it is" },
      el("p", { class: "headline" }, el("strong", {}, count(summary.datasets - left)), ` of ${plural(summary.datasets, "dataset", "datasets")} ended`,
        failed ? el("span", { class: "bad" }, `, ${count(failed)} failed`) : ""),
      stateBar(data.states, summary.states, summary.datasets), states.list, facts(data), warnings(data, table)),
    section("failures", "Failures", reasonsTable(data, table)),
    el("div", { class: "charts" },
      progress ? section("progress", "Progress", progress) : "",
      needs ? section("needs", "Time and memory", needs) : ""),
    section("datasets", "Datasets", table.element),
    section("previews", "Previews", gallery.element));
  const named = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    if (name && !document.getElementById(name)) openDataset(table, name);
  };
  addEventListener("hashchange", named);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      table.search.focus();
    }
  });
  named();
}

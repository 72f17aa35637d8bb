// The table of datasets: searched, filtered, sorted, a page at a time.

const PAGE = 100;
const COLUMNS = [
  { id: "name", title: "dataset" },
  { id: "state", title: "state" },
  { id: "reason", title: "reason" },
  { id: "instrument", title: "instrument" },
  { id: "bin", title: "memory bin" },
  { id: "peak_mib", title: "peak" },
  { id: "seconds", title: "time" },
  { id: "attempts", title: "jobs" },
  { id: "since", title: "since" },
];

class DatasetTable {
  // `changed` is told which rows are shown.
  constructor(rows, changed) {
    this.rows = rows;
    this.changed = changed;
    this.filter = { words: "", state: "", instrument: "", reason: "" };
    this.sort = { id: "name", down: false };
    this.page = 0;
    this.open = new Set();
    this.build();
  }

  build() {
    const { rows } = this;
    const list = (values) => [...new Set(values)].filter(Boolean).sort();
    const every = Array.from({ length: rows.length }, (_, row) => row);
    this.search = el("input", { type: "search", id: "search", placeholder: "name, reason, text …", autocomplete: "off", spellcheck: "false",
      on: { input: () => this.set({ words: this.search.value }) } });
    this.choices = {
      state: this.choice("state", "every state", rows.data.states.filter((s) => rows.data.summary.states[s])),
      instrument: this.choice("instrument", "every instrument", list(rows.columns.instruments)),
      reason: this.choice("reason", "every reason", list(rows.columns.reasons.map((r) => r.reason))),
    };
    const field = (id, title, control) => el("div", { class: "field" }, el("label", { for: id }, title), control);
    this.said = el("p", { role: "status", "aria-live": "polite", class: "said" });
    this.body = el("tbody");
    this.heads = new Map();
    const head = el("tr", {}, COLUMNS.map(({ id, title }) => {
      const button = el("button", { type: "button", on: { click: () => this.sortBy(id) } }, title);
      const cell = el("th", { scope: "col", class: `c-${id}` }, button);
      this.heads.set(id, cell);
      return cell;
    }));
    this.earlier = el("button", { type: "button", on: { click: () => this.turn(-1) } }, "Previous");
    this.later = el("button", { type: "button", on: { click: () => this.turn(1) } }, "Next");
    this.clear = el("button", { type: "button", class: "plain", on: { click: () => this.reset() } }, "Show all");
    this.element = el("div", {},
      el("div", { class: "filters", role: "search" }, field("search", "search", this.search),
        Object.entries(this.choices).map(([id, control]) => field(`f-${id}`, id, control)), this.clear),
      this.said,
      el("div", { class: "wide" }, el("table", { class: "datasets", id: "datasets-table" }, el("caption", { class: "unseen" }, "Datasets"),
        el("thead", {}, head), this.body)),
      el("nav", { class: "pages", "aria-label": "Pages of the table" }, this.earlier, this.later));
    this.texts = every.map((row) => rows.searched(row));
    this.update();
  }

  choice(id, all, values) {
    return el("select", { id: `f-${id}`, on: { change: (event) => this.set({ [id]: event.target.value }) } },
      el("option", { value: "" }, all), values.map((value) => el("option", { value }, value)));
  }

  set(change) {
    Object.assign(this.filter, change);
    for (const [id, control] of Object.entries(this.choices)) control.value = this.filter[id];
    if (this.search.value !== this.filter.words) this.search.value = this.filter.words;
    this.page = 0;
    this.update();
  }

  reset() { this.set({ words: "", state: "", instrument: "", reason: "" }); }

  sortBy(id) {
    this.sort = { id, down: this.sort.id === id ? !this.sort.down : false };
    this.page = 0;
    this.update();
  }

  turn(step) {
    this.page += step;
    this.update();
    this.heads.get("name").firstChild.scrollIntoView({ block: "nearest" });
  }

  value(id, row) {
    switch (id) {
      case "name": return this.rows.name(row);
      case "state": return this.rows.columns.state[row];
      case "instrument": return this.rows.instrument(row);
      case "reason": return this.rows.reason(row)?.reason ?? "\uffff";
      case "attempts": return this.rows.columns.attempts[row];
      default: return this.rows.number(id, row) ?? -1;
    }
  }

  chosen() {
    const { words, state, instrument, reason } = this.filter;
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = [];
    for (let row = 0; row < this.rows.length; row++) {
      if (state && this.rows.state(row) !== state) continue;
      if (instrument && this.rows.instrument(row) !== instrument) continue;
      if (reason && this.rows.reason(row)?.reason !== reason) continue;
      if (wanted.every((word) => this.texts[row].includes(word))) chosen.push(row);
    }
    const { id, down } = this.sort;
    const keys = new Map(chosen.map((row) => [row, this.value(id, row)]));
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const turn = down ? -1 : 1;
    return chosen.sort((a, b) => turn * order(keys.get(a), keys.get(b)) || a - b);
  }

  update() {
    const chosen = this.chosen();
    const last = Math.max(0, Math.ceil(chosen.length / PAGE) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const first = this.page * PAGE;
    const shown = chosen.slice(first, first + PAGE);
    this.body.replaceChildren(...shown.flatMap((row) => this.line(row)));
    if (!shown.length) {
      this.body.append(el("tr", {}, el("td", { colspan: COLUMNS.length, class: "empty" }, "No dataset is like this.")));
    }
    this.said.textContent = shown.length
      ? `${count(first + 1)}–${count(first + shown.length)} of ${plural(chosen.length, "dataset", "datasets")}` +
        (chosen.length < this.rows.length ? `, of ${count(this.rows.length)} in all` : "")
      : `0 of ${plural(this.rows.length, "dataset", "datasets")}`;
    for (const [id, cell] of this.heads) {
      if (id === this.sort.id) cell.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.earlier.disabled = this.page === 0;
    this.later.disabled = this.page >= last;
    this.clear.hidden = !Object.values(this.filter).some(Boolean);
    this.changed(chosen, this.filter);
  }

  line(row) {
    const { rows } = this;
    const name = rows.name(row), state = rows.state(row);
    const bin = rows.number("bin", row), peak = rows.number("peak_mib", row), seconds = rows.number("seconds", row);
    const since = rows.time("since", row);
    const button = el("button", { type: "button", class: "name", "aria-expanded": "false", "data-dataset": name,
      on: { click: () => this.toggle(row, line, button) } }, name);
    const cells = {
      state: el("span", { class: `state s-${state}` }, state),
      reason: rows.reason(row)?.reason ?? "",
      instrument: rows.instrument(row),
      bin: bin === null ? "" : `${rows.data.bins[bin].gib} GiB`,
      peak_mib: peak === null ? "" : memory(peak),
      seconds: seconds === null ? "" : duration(seconds),
      attempts: rows.columns.attempts[row] || "",
      since: since === null ? "" : time(since),
    };
    const line = el("tr", { class: hasFailed(state) ? "failed" : null }, el("th", { scope: "row" }, button),
      Object.entries(cells).map(([id, content]) => el("td", { class: `c-${id}` }, content)));
    if (this.open.has(row)) return [line, this.details(row, button)];
    return [line];
  }

  details(row, button) {
    button.setAttribute("aria-expanded", "true");
    return el("tr", { class: "details" }, el("td", { colspan: COLUMNS.length }, details(this.rows, row)));
  }

  toggle(row, line, button) {
    if (this.open.delete(row)) {
      line.nextElementSibling.remove();
      button.setAttribute("aria-expanded", "false");
    } else {
      this.open.add(row);
      line.after(this.details(row, button));
    }
  }

  // Shows one dataset alone, opened.
  show(name) {
    const row = this.rows.columns.name.indexOf(name);
    if (row < 0) return false;
    this.open.add(row);
    this.set({ words: name, state: "", instrument: "", reason: "" });
    this.body.querySelector("button")?.focus();
    return true;
  }
}

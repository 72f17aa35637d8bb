// What is known of one dataset: why it failed and what to do, its job, where its results are.

function copied(command) {
  const button = el("button", { type: "button", class: "plain", on: { click: async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      // where a page may not write there, the text can still be selected
      getSelection().selectAllChildren(code);
    }
  } } }, "Copy");
  const code = el("code", {}, command);
  return el("div", { class: "command" }, code, button);
}

function fact(title, ...content) {
  return content.every((c) => c === null || c === "") ? null : [el("dt", {}, title), el("dd", {}, ...content)];
}

function link(rows, row, file, words) {
  const to = rows.link(row, file);
  return to === null ? words : el("a", { href: to }, words);
}

function explained(rows, row) {
  const reason = rows.reason(row);
  if (!reason) return null;
  const text = rows.text("explanation", "explanations", row);
  const command = rows.command(row);
  return el("div", { class: "why" },
    el("p", { class: "reason" }, reason.reason),
    text ? el("p", { class: "said-by" }, text) : null,
    el("p", {}, el("strong", {}, "What to do: "), reason.remedy, "."),
    command ? copied(command) : null);
}

function details(rows, row) {
  const { data } = rows;
  const state = rows.state(row), since = rows.time("since", row);
  const limit = rows.number("limit", row), seconds = rows.number("seconds", row), peak = rows.number("peak_mib", row);
  const bin = rows.number("bin", row), code = rows.number("exit_code", row);
  const files = rows.columns.files[row], products = rows.products(row);
  const spaced = (items) => items.flatMap((item, at) => (at ? [" ", item] : [item]));
  const logs = ["process.txt", "provenance.json"].map((file) => link(rows, row, data.logs + file, file));
  const archive = `${rows.name(row)}.tar.gz`;
  const own = data.archive ? [link(rows, row, archive, archive)] : products.map((file) => link(rows, row, file, file));
  const directory = rows.directory(row);
  return el("div", { class: "story" }, explained(rows, row), el("dl", {},
    fact("state", `${state}: ${MEANING[state]}`, since === null ? "" : `, since ${time(since)} UTC`),
    fact("reprocessed because", rows.why(row)),
    fact("jobs", rows.columns.attempts[row] ? plural(rows.columns.attempts[row], "job", "jobs") : "none known"),
    fact("latest job", rows.job(row) ? el("code", {}, rows.job(row)) : ""),
    fact("memory", bin === null ? "" : `${data.bins[bin].gib} GiB bin`,
      peak === null ? "" : `${bin === null ? "" : ", "}at most ${memory(peak)} were used`),
    fact("time", seconds === null ? "" : duration(seconds), limit === null ? "" : `${seconds === null ? "" : ", "}limit ${duration(limit)}`),
    fact("exit code", code === null || code === 0 ? "" : String(code)),
    fact("log stream", rows.stream(row) ? el("code", {}, rows.stream(row)) : ""),
    isUnderWay(state) ? null : fact("logs", ...spaced(logs)),
    own.length && !hasFailed(state) ? fact("products", ...spaced(own)) : null,
    isUnderWay(state) ? null : fact("directory", link(rows, row, "", directory), files ? ` (${plural(files, "file", "files")})` : "")));
}

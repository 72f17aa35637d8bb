// The drawings: shares of states, progress over time, time against memory.

// A bar of the shares of states; the legend beside it has the figures.
function stateBar(states, counts, total) {
  const bar = el("div", { class: "bar", role: "img",
    "aria-label": states.filter((s) => counts[s]).map((s) => `${count(counts[s])} ${s}`).join(", ") });
  for (const state of states) {
    if (!counts[state]) continue;
    const part = el("span", { class: `part s-${state}`, title: `${state}: ${count(counts[state])}` });
    part.style.setProperty("flex-grow", counts[state] / total);
    bar.append(part);
  }
  return bar;
}

const WIDTH = 600, HEIGHT = 300, LEFT = 62, RIGHT = 14, TOP = 14, BOTTOM = 34;

function scale(from, to, start, end) {
  const factor = (end - start) / (to - from || 1);
  return (value) => start + (value - from) * factor;
}

function frame(title, description, ...children) {
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `${title}. ${description}` },
    ...children);
}

const label = (x, y, text, anchor, style) =>
  svg("text", { x, y, "text-anchor": anchor ?? "middle", class: style ?? "tick" }, text);
const rule = (x1, y1, x2, y2, style) => svg("line", { x1, y1, x2, y2, class: style ?? "grid" });

function timeTicks(from, to) {
  const steps = [60, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000];
  const step = steps.find((s) => (to - from) / s <= 6) ?? 7776000;
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick);
  return { ticks, words: step < 86400 ? (t) => (t % 86400 ? time(t).slice(11) : time(t).slice(5, 10)) : (t) => time(t).slice(5, 10) };
}

// How many datasets had ended at each time, failures apart.
function progressChart(rows) {
  const well = [], failed = [];
  for (let row = 0; row < rows.length; row++) {
    const state = rows.state(row);
    const end = isUnderWay(state) ? null : rows.time("ended", row) ?? rows.time("since", row);
    if (end !== null) (hasFailed(state) ? failed : well).push(end);
  }
  const all = well.concat(failed).sort((a, b) => a - b);
  if (all.length < 2 || all[0] === all.at(-1)) return null;
  const from = all[0], to = all.at(-1);
  const x = scale(from, to, LEFT, WIDTH - RIGHT);
  const y = scale(0, rows.length, HEIGHT - BOTTOM, TOP);
  const steps = Math.min(240, all.length);
  const curve = (ends) => {
    ends.sort((a, b) => a - b);
    let at = 0;
    return Array.from({ length: steps + 1 }, (_, step) => {
      const now = from + ((to - from) * step) / steps;
      while (at < ends.length && ends[at] <= now) at++;
      return [now, at];
    });
  };
  const area = (points, style) => {
    const line = points.map(([t, n]) => `${x(t).toFixed(1)},${y(n).toFixed(1)}`).join(" ");
    return svg("polygon", { points: `${x(from)},${y(0)} ${line} ${x(to)},${y(0)}`, class: style });
  };
  const failures = curve(failed);
  const together = curve(well).map(([t, n], step) => [t, n + failures[step][1]]);
  const { ticks, words } = timeTicks(from, to);
  const heights = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(rows.length * share));
  const drawing = frame("Datasets that have ended, over time",
    `${count(all.length)} of ${count(rows.length)} between ${time(from)} and ${time(to)} UTC, ${count(failed.length)} of them failed`,
    [...new Set(heights)].map((n) => [rule(LEFT, y(n), WIDTH - RIGHT, y(n)), label(LEFT - 8, y(n) + 4, count(n), "end")]),
    ticks.map((t) => label(x(t), HEIGHT - 12, words(t))),
    area(together, "area-well"), area(failures, "area-failed"));
  return el("figure", {}, drawing, el("figcaption", {},
    el("span", { class: "key k-well" }, "ended"), failed.length ? el("span", { class: "key k-failed" }, "of these failed") : null,
    el("span", { class: "quiet" }, "UTC")));
}

const logarithm = (value) => Math.log10(Math.max(value, 1e-6));

// How long the latest jobs took and how much memory they held, with what each memory bin allows.
function memoryChart(rows) {
  const points = [];
  for (let row = 0; row < rows.length; row++) {
    const seconds = rows.number("seconds", row), mib = rows.number("peak_mib", row);
    if (seconds !== null && mib !== null) points.push({ row, seconds: Math.max(seconds, 1), gib: Math.max(mib, 16) / 1024 });
  }
  if (!points.length) return null;
  const { bins } = rows.data;
  const longest = points.reduce((most, p) => Math.max(most, p.seconds), 60);
  const least = points.reduce((low, p) => Math.min(low, p.gib), 0.5);
  const shortest = points.reduce((low, p) => Math.min(low, p.seconds), 60);
  const x = scale(logarithm(shortest) - 0.1, logarithm(longest) + 0.1, LEFT, WIDTH - RIGHT);
  const y = scale(logarithm(least) - 0.1, logarithm(bins.at(-1).usable * 1.25), HEIGHT - BOTTOM, TOP);
  const limits = bins.map((bin, number) => {
    const at = y(logarithm(bin.usable));
    return [rule(LEFT, at, WIDTH - RIGHT, at, `limit b${number}`),
      label(LEFT - 8, at + 4, `${bin.usable} GiB`, "end"),
      label(WIDTH - RIGHT - 4, at - 4, `limit of ${bin.gib} GiB`, "end", "tick quiet-tick")];
  });
  const seconds = [1, 10, 60, 600, 3600, 21600, 86400, 604800].filter((s) => s >= shortest * 0.8 && s <= longest * 1.3);
  const dots = new Map();
  for (const { row, seconds: s, gib } of points) {
    const style = hasFailed(rows.state(row)) ? "dot d-failed" : `dot b${rows.number("bin", row) ?? "x"}`;
    const at = `M${x(logarithm(s)).toFixed(1)} ${y(logarithm(gib)).toFixed(1)}h0`;
    dots.set(style, (dots.get(style) ?? "") + at);
  }
  const drawing = frame("Peak memory against duration of the latest jobs",
    `${plural(points.length, "dataset", "datasets")}, between ${duration(shortest)} and ${duration(longest)}; the table below has the figures of each memory bin`,
    limits,
    seconds.map((s) => [rule(x(logarithm(s)), TOP, x(logarithm(s)), HEIGHT - BOTTOM), label(x(logarithm(s)), HEIGHT - 12, duration(s).replace(/ 0 (s|min)$/, ""))]),
    [...dots].sort(([a], [b]) => (a < b ? -1 : 1)).map(([style, d]) => svg("path", { d, class: style })));
  return el("figure", {}, drawing, el("figcaption", {},
    bins.map((bin, number) => el("span", { class: `key b${number}` }, `${bin.gib} GiB`)),
    el("span", { class: "key k-failed" }, "failed")), binTable(rows, points));
}

function binTable(rows, points) {
  const middle = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const lines = rows.data.bins.map((bin, number) => {
    const of = points.filter(({ row }) => rows.number("bin", row) === number);
    if (!of.length) return null;
    const peaks = of.map((p) => p.gib * 1024), times = of.map((p) => p.seconds);
    const highest = peaks.reduce((a, b) => Math.max(a, b));
    return el("tr", {}, el("th", { scope: "row" }, `${bin.gib} GiB`), el("td", {}, count(of.length)),
      el("td", {}, memory(Math.round(middle(peaks)))), el("td", {}, `${(highest / 1024).toFixed(highest < 10240 ? 1 : 0)} of ${bin.usable} GiB`),
      el("td", {}, duration(middle(times))), el("td", {}, duration(times.reduce((a, b) => Math.max(a, b)))));
  });
  if (!lines.some(Boolean)) return null;
  return el("div", { class: "wide" }, el("table", { class: "small" },
    el("caption", { class: "unseen" }, "What the latest jobs needed, by memory bin"),
    el("thead", {}, el("tr", {}, ["memory bin", "datasets", "usual peak", "highest peak", "usual time", "longest"].map((title) =>
      el("th", { scope: "col" }, title)))),
    el("tbody", {}, lines)));
}

// The datasets of a batch: columns of numbers and of places in tables of texts, read by row.

class Rows {
  constructor(data) {
    this.data = data;
    this.columns = data.columns;
    this.length = this.columns.name.length;
  }

  name(row) { return this.columns.name[row]; }
  state(row) { return this.data.states[this.columns.state[row]]; }
  number(column, row) {
    const value = this.columns[column][row];
    return value < 0 ? null : value;
  }
  text(column, table, row) {
    const place = this.columns[column][row];
    return place < 0 ? null : this.columns[table][place];
  }
  shared(column, table, row) {
    return this.text(column, table, row)?.replaceAll("{}", this.name(row)) ?? null;
  }
  instrument(row) { return this.text("instrument", "instruments", row); }
  reason(row) { return this.text("reason", "reasons", row); }
  why(row) { return this.text("why", "whys", row); }
  time(column, row) {
    const after = this.number(column, row);
    return after === null ? null : this.columns.origin + after;
  }
  job(row) {
    const job = this.columns.job[row];
    const [array, index] = job.split(":");
    return index === undefined ? job : `${this.columns.jobs[array]}:${index}`;
  }
  stream(row) {
    const stream = this.columns.stream[row];
    const slash = stream.indexOf("/");
    if (slash < 0) return "";
    const prefix = this.columns.streams[stream.slice(0, slash)];
    return prefix ? prefix + stream.slice(slash) : stream.slice(slash + 1);
  }
  // The dataset's directory below the results.
  directory(row) { return this.shared("directory", "directories", row); }
  products(row) { return this.shared("products", "product_lists", row)?.split(" ") ?? []; }
  link(row, file) {
    const { results } = this.data;
    return results === null ? null : address(results + this.directory(row) + file);
  }
  thumbnail(row) {
    const file = this.shared("thumbnail", "thumbnails", row);
    return file === null ? null : this.link(row, file);
  }
  command(row) { return this.reason(row)?.command?.replace("{}", this.name(row)) ?? null; }
  // What a search looks at, in lower case.
  searched(row) {
    const texts = [this.name(row), this.state(row), this.instrument(row), this.reason(row)?.reason,
      this.text("explanation", "explanations", row), this.why(row)];
    return texts.filter(Boolean).join(" ").toLowerCase();
  }
}

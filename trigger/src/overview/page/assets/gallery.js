// Previews of the datasets that the table shows: a few at a time, each loaded when it comes into view.

const PICTURES = 48;

class Gallery {
  constructor(rows, show) {
    this.rows = rows;
    this.show = show;
    this.chosen = [];
    this.shown = PICTURES;
    this.list = el("ul", { class: "gallery" });
    this.more = el("button", { type: "button", on: { click: () => this.grow() } }, "Show more");
    this.note = el("p", { class: "quiet" });
    this.element = el("div", {}, this.note, this.list, this.more);
  }

  choose(rows) {
    this.chosen = rows.filter((row) => this.rows.thumbnail(row) !== null);
    this.shown = PICTURES;
    this.update();
  }

  grow() {
    const next = this.shown;
    this.shown += PICTURES;
    this.update();
    this.list.children[next]?.querySelector("button")?.focus();
  }

  update() {
    const pictures = this.chosen.slice(0, this.shown);
    this.list.replaceChildren(...pictures.map((row) => this.picture(row)));
    this.more.hidden = this.shown >= this.chosen.length;
    this.note.textContent = this.chosen.length
      ? `${count(pictures.length)} of ${plural(this.chosen.length, "preview", "previews")} of the datasets in the table`
      : "None of the datasets in the table has a preview here.";
  }

  picture(row) {
    const name = this.rows.name(row);
    const image = el("img", { src: this.rows.thumbnail(row), loading: "lazy", decoding: "async", width: 128, height: 128,
      alt: `Preview of ${name}`, on: { error: () => image.replaceWith(el("span", { class: "lost" }, "no picture")) } });
    return el("li", {}, el("button", { type: "button", on: { click: () => this.show(name) } }, image, el("span", {}, name)));
  }
}

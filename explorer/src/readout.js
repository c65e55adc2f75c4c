// The values as text: where the pointer is, and the ends of the view.
import { colourOf } from "./chart.js";
import { byId, element, fill } from "./dom.js";
import { place, shortValue } from "./texts.js";

export class Readout {
  constructor() {
    this.table = byId("readout");
    this.cells = [];
  }

  // Shows a table of what is drawn, without a pointer.
  show(data) {
    this.data = data;
    this.table.hidden = !data.curves.length;
    const heads = ["", "at the pointer", "first", "lowest", "highest", "last"];
    this.head = element("th", { scope: "col" }, heads[1]);
    const row = heads.map((text, at) =>
      at === 1 ? this.head : element("th", { scope: "col" }, text),
    );
    const body = data.curves.map((curve) => this.#row(curve));
    fill(
      this.table,
      element("thead", {}, element("tr", {}, ...row)),
      element("tbody", {}, ...body),
    );
    this.cells = body.map((each) => each.children[1]);
  }

  #row(curve) {
    const { values } = curve;
    const key = element("i", { class: "swatch" });
    key.style.background = colourOf(curve);
    const last = values.length - 1;
    const numbers = ["–", values[0], Math.min(...values), Math.max(...values), values[last]];
    const cells = numbers.map((number) => {
      const text = typeof number === "number" ? shortValue(number) : number;
      return element("td", { title: String(number) }, text);
    });
    return element("tr", {}, element("th", { scope: "row" }, key, curve.name), ...cells);
  }

  // Shows the values at a place; without one, none.
  point(where, values) {
    if (!this.head) return;
    const label = where === null ? "at the pointer" : `at ${place(where)}`;
    this.head.textContent = label;
    this.cells.forEach((cell, row) => {
      cell.textContent = where === null ? "–" : shortValue(values[row], 7);
      cell.title = where === null ? "" : String(values[row]);
    });
    this.spoken =
      where === null
        ? ""
        : `${this.data.label} ${place(where)}: ` +
          this.data.curves.map((each, row) => `${each.name} ${shortValue(values[row])}`).join(", ");
  }
}

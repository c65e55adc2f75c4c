// Where two recipes differ.
import { byId, element, fill, later } from "./dom.js";
import { nameOf, place, shortValue } from "./texts.js";

export class Difference {
  constructor(app) {
    this.app = app;
    this.selects = [byId("first"), byId("second")];
    this.selects.forEach((select, side) =>
      select.addEventListener("change", () => {
        app.state.against[side] = Number(select.value);
        app.state.save();
        this.show();
      }),
    );
    this.showLater = later(120, () => this.show());
  }

  async show() {
    const { state, steps } = this.app;
    byId("difference").hidden = state.curves.length < 2;
    if (state.curves.length < 2 || !steps) return;
    const pair = state.against.map((each, side) => (each < state.curves.length ? each : side));
    this.selects.forEach((select, side) => {
      const options = state.curves.map((curve, value) =>
        element("option", { value }, `${value + 1} ${nameOf(curve)}`),
      );
      fill(select, ...options);
      select.value = pair[side];
    });
    const [a, b] = pair.map((each) => state.curves[each].recipe);
    try {
      const found = await this.app.python.ask("compare", { a, b, lengths: state.lengths, steps });
      if (found) fill(byId("found"), ...this.#lines(found));
    } catch (refused) {
      fill(byId("found"), element("dd", { class: "error" }, refused.message));
    }
  }

  #lines({ first, values, largest, relative, compared, steps, rtol }) {
    const scope =
      compared === steps
        ? `${place(steps)} steps, relative tolerance ${shortValue(rtol)}`
        : `${place(compared)} of ${place(steps)} steps, evenly spaced; relative tolerance ${shortValue(rtol)}`;
    const lines =
      first === null
        ? [["Same", "at all steps that were compared"]]
        : [
            [
              "First at step",
              `${place(first)}, with ${shortValue(values[0], 7)} and ${shortValue(values[1], 7)}`,
            ],
          ];
    if (largest[1] > 0) {
      lines.push(["Largest", `${shortValue(largest[1])} at step ${place(largest[0])}`]);
      lines.push(["Largest relative", `${shortValue(relative[1])} at step ${place(relative[0])}`]);
    }
    lines.push(["Compared", scope]);
    return lines.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
  }
}

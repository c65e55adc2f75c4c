// The parameters of the selected recipe as fields and sliders, nested as the recipe is.
import { byId, element, fill, keepingFocus } from "./dom.js";
import { written } from "./texts.js";

const POSITIONS = 1000; // of a slider that does not go by integers
const WIDE = ["duration", "text"]; // types whose texts are long

export class Parameters {
  #dragged = false; // while a slider is moved, the form stays as it is
  #closed = new Set(); // the groups that the user has closed

  constructor(app) {
    this.app = app;
    this.form = byId("form");
  }

  show(description) {
    if (this.#dragged) return;
    keepingFocus(() => {
      if (!description) {
        fill(this.form, element("p", { class: "hint" }, "Add a recipe to change its parameters."));
        return;
      }
      const title = element("p", { class: "head" }, element("b", {}, description.name));
      fill(this.form, title, ...this.#recipe(description, []));
    });
  }

  #recipe(description, path) {
    const rows = description.parameters.map((each) => this.#parameter(each, [...path, each.name]));
    const summary = description.summary.replaceAll("`", "");
    return [element("p", { class: "hint" }, summary), ...rows];
  }

  #parameter(each, path) {
    if (each.schedule) return this.#nested(each, path);
    if (each.items) return this.#list(each, path);
    return this.#row(each, path);
  }

  #nested(each, path) {
    const content = this.#recipe(each.schedule, path);
    return this.#details(path, label(each, path), each.schedule.name, content);
  }

  #list(each, path) {
    const items = each.items.map((item, place) => this.#parameter(item, [...path, place]));
    const hasSchedules = each.items.some((item) => item.schedule);
    const whole = hasSchedules ? [] : [this.#row({ ...each, type: "text" }, path, "all")];
    return this.#details(path, label(each, path), `${each.items.length} items`, [
      ...whole,
      ...items,
    ]);
  }

  #details(path, name, note, content) {
    const key = path.join("/");
    const made = element(
      "details",
      { open: !this.#closed.has(key) },
      element("summary", { "data-key": `group-${key}` }, element("b", {}, name), ` ${note}`),
      element("div", { class: "group" }, ...content),
    );
    made.addEventListener("toggle", () => this.#closed[made.open ? "delete" : "add"](key));
    return made;
  }

  #row(each, path, name = label(each, path)) {
    const key = path.join("/");
    const id = `parameter-${key.replaceAll("/", "-")}`;
    const error = element("p", { class: "error", id: `${id}-error`, role: "status" });
    const common = {
      id,
      "data-key": `field-${key}`,
      "aria-describedby": error.id,
      title: each.expected,
    };
    const parts = { path, error, each };
    parts.field = this.#field(each, common);
    parts.field.addEventListener("change", () => this.#change(parts, parts.field.value));
    parts.slider = each.slider ? this.#slider(parts, name) : "";
    const isWide = WIDE.includes(each.type);
    const unit = isWide ? "" : element("span", { class: "unit" }, each.unit);
    return element(
      "div",
      { class: isWide ? "parameter wide" : "parameter" },
      element("label", { for: id }, name),
      parts.field,
      unit,
      parts.slider,
      error,
    );
  }

  #field(each, common) {
    const options = each.type === "flag" ? ["True", "False"] : each.options;
    if (!options)
      return element("input", { ...common, type: "text", spellcheck: "false", value: each.value });
    const texts = each.optional ? [...options, "None"] : options;
    const made = element(
      "select",
      common,
      ...texts.map((text) => element("option", { value: text }, text)),
    );
    made.value = each.value;
    return made;
  }

  #slider(parts, name) {
    const { each, field } = parts;
    const scale = scaleOf(each);
    const made = element("input", {
      type: "range",
      min: scale.least,
      max: scale.most,
      step: "1",
      "aria-label": `${name}, slider`,
      "data-key": `slider-${parts.path.join("/")}`,
    });
    made.value = scale.position(each.slider.number);
    const say = () =>
      made.setAttribute(
        "aria-valuetext",
        `${field.value} ${WIDE.includes(each.type) ? "" : each.unit}`.trim(),
      );
    say();
    made.addEventListener("input", () => {
      this.#dragged = true;
      const number = written(scale.number(Number(made.value)), each.slider.whole);
      field.value = each.slider.before + number + each.slider.after;
      say();
      this.#change(parts, field.value);
    });
    const end = () => {
      if (!this.#dragged) return;
      this.#dragged = false;
      this.app.state.settle();
      this.app.describe();
    };
    made.addEventListener("change", end);
    made.addEventListener("blur", end);
    return made;
  }

  async #change({ path, field, error }, value) {
    const refused = await this.app.change(path, value);
    fill(error, refused?.message ?? "");
    field.setAttribute("aria-invalid", String(Boolean(refused)));
  }
}

const label = (each, path) => each.name || String(path.at(-1) + 1);

// From positions of a slider to numbers, and back.
function scaleOf({ slider, minimum }) {
  const { low, high, whole, scale } = slider;
  if (whole) {
    const same = (number) => Math.round(number);
    return { least: Math.ceil(low), most: Math.floor(high), number: same, position: same };
  }
  const ends = { least: 0, most: POSITIONS };
  if (scale === "linear") {
    return {
      ...ends,
      number: (position) => low + ((high - low) * position) / POSITIONS,
      position: (number) => Math.round((POSITIONS * (number - low)) / (high - low)),
    };
  }
  const takesZero = minimum === undefined || minimum <= 0;
  const ratio = Math.log(high / low);
  return {
    ...ends,
    number: (position) =>
      position === 0 && takesZero ? 0 : low * Math.exp((ratio * position) / POSITIONS),
    position: (number) =>
      number <= 0 ? 0 : Math.round((POSITIONS * Math.log(number / low)) / ratio),
  };
}

// The list of recipes: each with its text, its name, its colour, and what is wrong with it.
import { colourOf } from "./chart.js";
import { Completion } from "./completion.js";
import { byId, element, fill, keepingFocus } from "./dom.js";
import { nameOf } from "./texts.js";

export class Curves {
  constructor(app) {
    this.app = app;
    this.list = byId("curves");
    new ResizeObserver(() => this.#fit()).observe(this.list);
    byId("add").addEventListener("click", () => this.add("constant(0.1)"));
    byId("gallery").addEventListener("change", ({ target }) => {
      if (target.value) this.add(target.value);
      target.value = "";
    });
  }

  offer(examples) {
    const options = examples.map(({ name, recipe }) => element("option", { value: recipe }, name));
    byId("gallery").append(...options);
  }

  // Adds a recipe that is known to be one.
  add(recipe, name = "") {
    const { state } = this.app;
    if (state.curves.length >= this.app.about.max_curves) {
      this.app.notice(`There is room for ${this.app.about.max_curves} recipes. Remove one.`);
      return;
    }
    const used = new Set(state.curves.map((curve) => curve.colour));
    const colour = [0, 1, 2, 3, 4, 5, 6, 7].find((each) => !used.has(each)) ?? 0;
    state.curves.push({ recipe, name, colour, hidden: false });
    state.active = state.curves.length - 1;
    Object.assign(state, { from: null, to: null });
    this.app.changed();
    this.list.lastElementChild?.querySelector("textarea")?.focus();
  }

  show() {
    keepingFocus(() => {
      const { curves } = this.app.state;
      fill(this.list, ...curves.map((curve, place) => this.#item(curve, place)));
    });
    this.#fit();
  }

  #fit() {
    this.list.querySelectorAll("textarea").forEach(fit);
  }

  // Marks the selected recipe and shows each refusal, without making the fields anew.
  refresh() {
    [...this.list.children].forEach((item, place) => {
      const curve = this.app.state.curves[place];
      if (!curve) return;
      item.classList.toggle("active", place === this.app.state.active);
      item.classList.toggle("hidden", curve.hidden);
      const field = item.querySelector("textarea");
      const text = curve.typed ?? curve.recipe;
      if (field.value !== text) field.value = text;
      fit(field);
      this.#refuse(item, field, curve);
      const name = item.querySelector(".name");
      if (name !== document.activeElement) name.value = curve.name;
      name.placeholder = nameOf({ recipe: curve.recipe });
    });
  }

  #refuse(item, field, curve) {
    const line = item.querySelector(".error");
    const refused = curve.refused ?? (curve.noCurve ? { message: curve.noCurve } : null);
    const text = refused?.message ?? "";
    field.setAttribute("aria-invalid", String(Boolean(curve.refused)));
    if (line.dataset.text === text) return;
    line.dataset.text = text;
    fill(line, text);
    if (refused?.column) {
      const go = () => goTo(field, refused.line, refused.column);
      line.prepend(element("button", { type: "button", onclick: go }, "Go there"), " ");
    }
  }

  #item(curve, place) {
    const { app } = this;
    const error = element("p", { class: "error", id: `error-${place}`, role: "status" });
    const field = element("textarea", {
      rows: "1",
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      maxlength: "4000",
      "aria-label": `Recipe ${place + 1}`,
      "aria-describedby": error.id,
      "data-key": `recipe-${place}`,
    });
    field.value = curve.typed ?? curve.recipe;
    const typed = () => {
      fit(field);
      app.type(curve, field.value);
    };
    const completion = new Completion(field, app.python, typed);
    field.addEventListener("input", () => {
      typed();
      completion.update();
    });
    field.addEventListener("keydown", (event) => {
      if (completion.key(event)) return;
      if (event.key === "Enter" && !event.shiftKey) event.preventDefault();
    });
    field.addEventListener("focus", () => app.select(place));
    field.addEventListener("blur", () => app.state.settle());
    const name = element("input", {
      class: "name",
      maxlength: "60",
      "aria-label": `Name of recipe ${place + 1}`,
      "data-key": `name-${place}`,
      onchange: () => {
        curve.name = name.value.trim();
        app.changed();
      },
      onfocus: () => app.select(place),
    });
    return element(
      "li",
      {},
      element(
        "div",
        { class: "row" },
        this.#swatch(curve, place),
        name,
        ...this.#buttons(curve, place),
      ),
      element("div", { class: "field" }, field, completion.list),
      error,
    );
  }

  #swatch(curve, place) {
    const made = element("button", {
      type: "button",
      class: "swatch",
      title: "Another colour",
      "aria-label": `Another colour for recipe ${place + 1}`,
      "data-key": `colour-${place}`,
      onclick: () => {
        curve.colour = (curve.colour + 1) % 8;
        this.app.changed();
      },
    });
    made.style.setProperty("--colour", colourOf(curve));
    return made;
  }

  #buttons(curve, place) {
    const { app } = this;
    const hide = () => {
      curve.hidden = !curve.hidden;
      app.changed();
    };
    const remove = () => {
      app.state.curves.splice(place, 1);
      app.state.active = Math.max(Math.min(app.state.active, app.state.curves.length - 1), 0);
      app.changed();
      byId("add").focus();
    };
    const button = (text, key, action, pressed) =>
      element(
        "button",
        {
          type: "button",
          class: "quiet",
          "data-key": `${key}-${place}`,
          onclick: action,
          ...pressed,
        },
        text,
      );
    return [
      button("Hide", "hide", hide, {
        "aria-pressed": String(curve.hidden),
        "aria-label": `Hide recipe ${place + 1}`,
      }),
      button("Remove", "remove", remove, { "aria-label": `Remove recipe ${place + 1}` }),
    ];
  }
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

function goTo(field, line, column) {
  const before = field.value.split("\n").slice(0, line - 1);
  const place = before.reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
  field.focus();
  field.setSelectionRange(place, Math.max(place, field.value.length));
}

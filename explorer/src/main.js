// The explorer: recipes in, curves out. All that is computed is computed by lrsched, in Python.
import { Chart } from "./chart.js";
import { Code } from "./code.js";
import { Curves } from "./curves.js";
import { Difference } from "./difference.js";
import { byId } from "./dom.js";
import { Files } from "./files.js";
import { nameOf } from "./texts.js";
import { Parameters } from "./parameters.js";
import { Python } from "./python.js";
import { Readout } from "./readout.js";
import { Run } from "./run.js";
import { State } from "./state.js";
import { startTheme } from "./theme.js";

class Explorer {
  constructor() {
    this.python = new Python((state, message) => this.#python(state, message));
    this.state = new State(
      this.python,
      () => this.show(),
      (message) => this.notice(message),
    );
    this.chart = new Chart({
      onPoint: (index) => this.#point(index),
      onZoom: (from, to) => this.#zoom(from, to),
      onReset: () => this.#zoom(null, null),
    });
    this.chart.onHear = () => (byId("heard").textContent = this.readout.spoken);
    this.readout = new Readout();
    this.curves = new Curves(this);
    this.parameters = new Parameters(this);
    this.run = new Run(this);
    this.difference = new Difference(this);
    this.code = new Code(this);
    this.files = new Files(this);
    startTheme(() => this.chart.restyle());
    byId("linear").addEventListener("click", () => this.#scale(false));
    byId("log").addEventListener("click", () => this.#scale(true));
    byId("reset").addEventListener("click", () => this.#zoom(null, null));
    byId("at").addEventListener("change", ({ target }) => this.#readAt(target.value));
  }

  load() {
    const script = document.createElement("script");
    script.src = "data.js";
    script.onload = () =>
      this.python.start().catch((error) => this.#python("failed", error.message));
    script.onerror = () => this.#python("failed", "data.js, which holds Python, cannot be loaded.");
    document.head.append(script);
  }

  async #python(state, message) {
    if (state === "failed") {
      byId("status").textContent = `Python does not start: ${message}`;
      return;
    }
    if (this.about) return; // it was started again
    this.about = await this.python.ask("about");
    byId("status").textContent =
      `lrsched ${this.about.version}, running here. Nothing leaves this page.`;
    this.curves.offer(this.about.examples);
    this.run.offer(this.about);
    for (const id of ["add", "gallery", "open", "axis", "reset"]) byId(id).disabled = false;
    await this.state.read();
  }

  notice(message) {
    byId("notice").textContent = message;
    byId("notice").hidden = !message;
  }

  // Shows a state that was read.
  show() {
    this.notice("");
    this.curves.show();
    this.curves.refresh();
    this.#refresh();
  }

  // Shows and saves a state whose recipes were accepted.
  changed() {
    this.show();
    this.state.save();
  }

  #refresh() {
    this.run.show();
    byId("linear").setAttribute("aria-pressed", String(!this.state.log));
    byId("log").setAttribute("aria-pressed", String(this.state.log));
    this.draw();
    this.describe();
    this.code.show();
  }

  select(place) {
    if (place === this.state.active) return;
    this.state.active = place;
    this.curves.refresh();
    this.describe();
    this.code.show();
  }

  // Takes the text of a recipe that is being written; a refusal leaves the curve as it was.
  async type(curve, text) {
    curve.typed = text;
    try {
      const described = await this.python.ask("describe", { text }, "type");
      if (!described) return;
      curve.refused = undefined;
      curve.recipe = text;
      this.curves.refresh();
      this.draw();
      this.parameters.show(described);
      this.code.show();
      this.state.save(curve);
    } catch (refused) {
      if (curve.typed !== text) return;
      curve.refused = refused;
      this.curves.refresh();
    }
  }

  // Changes a parameter of the selected recipe; returns what was refused.
  async change(path, value) {
    const curve = this.state.current;
    try {
      const text = await this.python.ask("change", { text: curve.recipe, path, value });
      if (text === undefined) return undefined;
      Object.assign(curve, { recipe: text, typed: text, refused: undefined });
      this.curves.refresh();
      this.draw();
      this.describe();
      this.code.show();
      this.state.save(path.join("/"));
      return undefined;
    } catch (refused) {
      return refused;
    }
  }

  async describe() {
    const curve = this.state.current;
    if (!curve) return this.parameters.show(undefined);
    const described = await this.python
      .ask("describe", { text: curve.recipe })
      .catch(() => undefined);
    if (described) this.parameters.show(described);
  }

  async draw() {
    const { curves, lengths, axis, log, from, to } = this.state;
    const begin = performance.now();
    const asked = {
      recipes: curves.map((curve) => curve.recipe),
      lengths,
      axis,
      low: from,
      high: to,
      points: 2 * Math.max(this.chart.width, 300),
    };
    try {
      const drawn = await this.python.ask("draw", asked);
      if (!drawn) return;
      this.run.refuse("");
      this.#drawn(drawn, curves, log);
      this.redrawn = performance.now() - begin;
    } catch (refused) {
      this.run.refuse(refused.message);
    }
  }

  #drawn(drawn, curves, log) {
    const shown = curves
      .map((curve, place) => ({ ...curve, values: drawn.values[place], place }))
      .filter((curve) => curve.values && !curve.hidden)
      .map((curve) => ({
        ...curve,
        name: nameOf(curve),
      }));
    curves.forEach((curve, place) => {
      curve.noCurve = drawn.errors[place];
    });
    this.curves.refresh();
    this.shown = { places: drawn.places, label: drawn.label, curves: shown };
    this.steps = drawn.last + 1;
    this.chart.show(this.shown, log);
    this.readout.show(this.shown);
    byId("reset").disabled = this.state.from === null;
    const notes = [];
    if (drawn.is_nominal)
      notes.push("Lengths that are not given are those of a nominal run. Give them below.");
    const hasZero = log && shown.some((curve) => curve.values.some((value) => value <= 0));
    if (hasZero) notes.push("Values of 0 and below are not on a logarithmic axis.");
    byId("note").hidden = !notes.length;
    byId("note").textContent = notes.join(" ");
    document.documentElement.dataset.drawn = String(
      Number(document.documentElement.dataset.drawn ?? 0) + 1,
    );
    this.difference.showLater();
  }

  #point(index) {
    const { places, curves } = this.shown;
    const where = index === null ? null : places[index];
    this.readout.point(where, index === null ? [] : curves.map((curve) => curve.values[index]));
  }

  // Reads the exact values at a place that is typed.
  async #readAt(text) {
    const where = Number(text.replaceAll(",", ""));
    if (!text.trim() || !(where >= 0)) return this.#point(null);
    const { lengths, axis, curves } = this.state;
    const recipes = curves.map((curve) => curve.recipe);
    const asked = { recipes, lengths, axis, low: where, high: where, points: 2 };
    const drawn = await this.python.ask("draw", asked, "read");
    if (!drawn) return;
    this.readout.point(
      drawn.places[0],
      this.shown.curves.map((curve) => drawn.values[curve.place][0]),
    );
    byId("heard").textContent = this.readout.spoken;
  }

  #zoom(from, to) {
    Object.assign(this.state, { from, to });
    this.draw();
    this.state.save();
  }

  #scale(log) {
    this.state.log = log;
    this.#refresh();
    this.state.save();
  }
}

const explorer = new Explorer();
globalThis.explorer = explorer; // for the console
explorer.load();

// The run: the lengths of its units, and the unit of the axis.
import { byId, element } from "./dom.js";

const NAMES = {
  total_steps: ["total steps", "the run"],
  steps_per_epoch: ["steps per epoch", "an epoch"],
  batch_size: ["batch size", "examples in a step"],
  tokens_per_step: ["tokens per step", "tokens in a step"],
};
const AXES = {
  step: "steps",
  run: "the run",
  epochs: "epochs",
  examples: "examples",
  tokens: "tokens",
};

export class Run {
  constructor(app) {
    this.app = app;
    this.fields = {};
    this.axis = byId("axis");
    this.axis.addEventListener("change", () => {
      Object.assign(app.state, { axis: this.axis.value, from: null, to: null });
      app.changed();
    });
    this.error = element("p", { class: "error", id: "run-error", role: "status" });
  }

  offer({ lengths, axes }) {
    const rows = lengths.map((name) => {
      const field = element("input", {
        id: name,
        type: "text",
        inputmode: "decimal",
        size: "8",
        maxlength: "40",
        "aria-describedby": "run-error",
        onchange: () => {
          Object.assign(this.app.state, { from: null, to: null });
          this.app.state.lengths[name] = field.value.trim();
          if (!field.value.trim() && this.needs[this.app.state.axis] === name) {
            this.app.state.axis = "step";
          }
          this.app.changed();
        },
      });
      this.fields[name] = field;
      return element(
        "span",
        { class: "length" },
        element("label", { for: name }, NAMES[name][0]),
        field,
      );
    });
    byId("lengths").append(...rows, this.error);
    this.needs = axes;
    const units = ["step", ...Object.keys(axes)];
    this.axis.append(...units.map((unit) => element("option", { value: unit }, AXES[unit])));
  }

  show() {
    const { state } = this.app;
    for (const [name, field] of Object.entries(this.fields)) {
      if (field !== document.activeElement) field.value = state.lengths[name] ?? "";
    }
    for (const option of this.axis.options) {
      const need = this.needs[option.value];
      option.disabled = Boolean(need) && !state.lengths[need] && state.axis !== option.value;
      option.title = option.disabled ? `Needs ${NAMES[need][0]}` : "";
    }
    this.axis.value = state.axis;
  }

  refuse(message) {
    this.error.textContent = message;
  }
}

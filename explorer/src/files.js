// Files that are dropped or opened. What a file leaves out is asked for.
import { byId, element, fill } from "./dom.js";

const LARGEST = 1_000_000; // bytes

export class Files {
  constructor(app) {
    this.app = app;
    this.form = byId("missing");
    const input = byId("file");
    byId("open").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.#take(input.files);
      input.value = "";
    });
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      if (app.about) this.#take(event.dataTransfer.files);
      else app.notice("Python is loading. Drop the file again when it is there.");
    });
  }

  async #take(files) {
    for (const file of [...files].slice(0, 8)) {
      if (file.size > LARGEST) {
        this.app.notice(`${file.name} is larger than a configuration (1 MB).`);
        continue;
      }
      await this.open(file.name, await file.text(), {});
    }
  }

  async open(name, content, given) {
    const { app } = this;
    try {
      const found = await app.python.ask("open_file", { name, content, given }, Symbol());
      if (found.missing) return this.#ask(name, content, given, found);
      for (const field of app.about.lengths) app.state.lengths[field] ||= given[field] ?? "";
      this.#close();
      app.curves.add(found.recipe, name);
    } catch (refused) {
      if (this.form.hidden) app.notice(refused.message);
      else this.form.querySelector(".error").textContent = refused.message;
    }
  }

  #ask(name, content, given, { missing, message }) {
    const fields = missing.map((argument) =>
      element("input", { id: `missing-${argument}`, name: argument, size: "10", required: true }),
    );
    for (const field of fields) field.value = this.app.state.lengths[field.name] ?? "";
    const rows = fields.map((field) =>
      element("label", {}, field.name.replaceAll("_", " "), " ", field),
    );
    fill(
      this.form,
      element("p", {}, message),
      ...rows,
      element("p", { class: "error", role: "status" }),
      element("button", { type: "submit" }, "Open"),
      element("button", { type: "button", class: "quiet", onclick: () => this.#close() }, "Cancel"),
    );
    this.form.onsubmit = (event) => {
      event.preventDefault();
      const more = Object.fromEntries(fields.map((field) => [field.name, field.value]));
      this.open(name, content, { ...given, ...more });
    };
    this.form.hidden = false;
    fields[0].focus();
  }

  #close() {
    this.form.hidden = true;
    fill(this.form);
  }
}

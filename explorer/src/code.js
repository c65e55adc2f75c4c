// What to write for the selected recipe, in a tab for each place to write it.
import { byId, element, fill } from "./dom.js";

const TABS = { optax: "optax", torch: "torch", keras: "Keras", shell: "Shell", json: "JSON" };

export class Code {
  constructor(app) {
    this.app = app;
    this.texts = {};
    this.chosen = "optax";
    this.tabs = Object.entries(TABS).map(([name, title]) =>
      element(
        "button",
        { type: "button", role: "tab", "aria-controls": "panel", onclick: () => this.choose(name) },
        title,
      ),
    );
    byId("tabs").append(...this.tabs);
    byId("tabs").addEventListener("keydown", (event) => this.#key(event));
    byId("copy").addEventListener("click", () => this.#copy());
    this.choose("optax");
  }

  choose(name) {
    this.chosen = name;
    Object.keys(TABS).forEach((each, place) => {
      const isChosen = each === name;
      this.tabs[place].setAttribute("aria-selected", String(isChosen));
      this.tabs[place].tabIndex = isChosen ? 0 : -1;
    });
    this.#write();
  }

  async show() {
    const { state, python, steps } = this.app;
    if (!state.current) {
      this.texts = {};
      return this.#write();
    }
    const asked = { text: state.current.recipe, lengths: state.lengths, steps: steps || 1000 };
    const found = await python.ask("code", asked).catch(() => ({}));
    if (!found) return;
    this.texts = found;
    this.#write();
  }

  #write() {
    byId("text").textContent = this.texts[this.chosen] ?? "";
    byId("copy").disabled = !this.texts[this.chosen];
    byId("copy").textContent = "Copy";
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const names = Object.keys(TABS);
    const place = (names.indexOf(this.chosen) + step + names.length) % names.length;
    this.choose(names[place]);
    this.tabs[place].focus();
    event.preventDefault();
  }

  async #copy() {
    const text = byId("text");
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text); // a page that is a file may not write the clipboard
      document.execCommand("copy");
    }
    byId("copy").textContent = "Copied";
  }
}

// A list of what can follow in a recipe, below its field. Arrows choose, Enter takes, Escape closes.
import { element, fill } from "./dom.js";

let number = 0;

export class Completion {
  constructor(field, python, onTake) {
    Object.assign(this, { field, python, onTake, items: [], chosen: -1 });
    this.list = element("ul", {
      role: "listbox",
      id: `list-${++number}`,
      class: "completions",
      hidden: true,
    });
    for (const [name, value] of [
      ["role", "combobox"],
      ["aria-autocomplete", "list"],
      ["aria-expanded", "false"],
      ["aria-controls", this.list.id],
    ]) {
      field.setAttribute(name, value);
    }
    field.addEventListener("blur", () => this.close());
  }

  async update() {
    const { value, selectionEnd } = this.field;
    const found = await this.python.ask("complete", { text: value, place: selectionEnd });
    if (!found || document.activeElement !== this.field || this.field.value !== value) return;
    const typed = value.slice(found.begin, found.end);
    const items = found.items.slice(0, 60);
    if (!items.length || (items.length === 1 && items[0].text === typed)) return this.close();
    Object.assign(this, { items, begin: found.begin, end: found.end });
    fill(this.list, ...items.map((item, place) => this.#option(item, place)));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.#choose(-1);
  }

  #option(item, place) {
    const note = element("span", {}, item.note.replaceAll("`", ""));
    const take = (event) => {
      event.preventDefault(); // the field keeps the focus
      this.#take(place);
    };
    const attributes = { role: "option", id: `${this.list.id}-${place}`, onmousedown: take };
    return element("li", attributes, element("b", {}, item.text), note);
  }

  #choose(place) {
    this.list.children[this.chosen]?.removeAttribute("aria-selected");
    this.chosen = place;
    const option = this.list.children[place];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", option?.id ?? "");
  }

  #take(place) {
    const { text } = this.items[place];
    this.field.setRangeText(text, this.begin, this.end, "end");
    this.close();
    this.onTake();
  }

  close() {
    this.list.hidden = true;
    this.chosen = -1;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  // Whether a key was one of the list's.
  key(event) {
    if (event.key === " " && event.ctrlKey) {
      this.update();
    } else if (this.list.hidden) {
      return false;
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      const number = this.items.length;
      this.#choose((this.chosen + step + number + (this.chosen < 0 && step < 0)) % number);
    } else if (event.key === "Enter" && this.chosen >= 0) {
      this.#take(this.chosen);
    } else if (event.key === "Escape") {
      this.close();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }
}

// The state of the page, and the address that has all of it. Python reads and writes the address.
import { later } from "./dom.js";

const EMPTY = { axis: "step", log: false, from: null, to: null, active: 0 };

export class State {
  #written; // the fragment that the address has
  #edit; // what is being edited: all changes of it make one entry of the history

  constructor(python, onRead, onRefused) {
    this.python = python;
    this.onRead = onRead;
    this.onRefused = onRefused;
    Object.assign(this, EMPTY, { curves: [], lengths: {}, against: [0, 1] });
    this.writeLater = later(250, () => this.#write());
    const changed = () => this.#fragment() !== this.#written && this.read();
    addEventListener("popstate", changed);
    addEventListener("hashchange", changed);
  }

  #fragment() {
    return location.href.split("#")[1] ?? "";
  }

  get current() {
    return this.curves[this.active];
  }

  async read() {
    const fragment = (this.#written = this.#fragment());
    this.#edit = undefined;
    try {
      const state = await this.python.ask("read_state", { fragment });
      if (!state) return;
      Object.assign(this, state);
      this.active = Math.min(this.active, Math.max(this.curves.length - 1, 0));
      this.onRead();
    } catch (refused) {
      Object.assign(this, EMPTY, { curves: [], lengths: {}, against: [0, 1] });
      this.onRead();
      this.onRefused(refused.message);
    }
  }

  // Puts the state into the address: as a new entry of the history, unless the same thing is edited.
  save(edit) {
    const isNew = edit === undefined || edit !== this.#edit;
    this.#edit = edit;
    if (isNew) this.#write(true);
    else this.writeLater();
  }

  // Ends what is being edited: the next change makes an entry of its own.
  settle() {
    this.#edit = undefined;
    this.#write();
  }

  async #write(isNew = false) {
    const curves = this.curves.map(({ recipe, name, colour, hidden }) => ({
      recipe,
      name,
      colour,
      hidden,
    }));
    const { lengths, axis, log, from, to, against } = this;
    const state = { curves, lengths, axis, log, from, to, against };
    const fragment = await this.python.ask("write_state", { state }, isNew ? Symbol() : "address");
    if (fragment === undefined || fragment === this.#written) return;
    this.#written = fragment;
    history[isNew ? "pushState" : "replaceState"](null, "", `#${fragment}`);
  }
}

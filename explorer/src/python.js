// Python in a worker, asked one request at a time. Of the requests that wait, each kind has one.
const PATIENCE = 10_000; // milliseconds that an answer may take

export class Python {
  #worker;
  #source; // the address of the worker's script
  #busy; // the request that is being answered
  #waiting = new Map(); // by kind; a newer request of the same kind takes its place
  #timer;

  constructor(onState) {
    this.onState = onState;
    this.took = {};
    this.isReady = false;
  }

  async start() {
    const { worker, ...data } = globalThis.EXPLORER_DATA;
    const bytes = Uint8Array.from(atob(worker), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = await new Response(stream).blob();
    this.#source = URL.createObjectURL(script.slice(0, script.size, "text/javascript"));
    this.data = data;
    this.#launch();
  }

  #launch() {
    this.isReady = false;
    this.#worker = new Worker(this.#source);
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => this.onState("failed", event.message || "The worker failed.");
    this.#worker.postMessage({ data: this.data });
  }

  // Resolves to the answer, or to undefined where a newer request has taken its place. Rejects with
  // what the library refuses, which has a message, and a line and a column of the recipe or null.
  ask(call, args = {}, kind = call) {
    return new Promise((resolve, reject) => {
      this.#waiting.get(kind)?.resolve(undefined);
      this.#waiting.delete(kind);
      this.#waiting.set(kind, { call, args, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#busy || !this.isReady || !this.#waiting.size) return;
    const [kind, request] = this.#waiting.entries().next().value;
    this.#waiting.delete(kind);
    this.#busy = request;
    this.#timer = setTimeout(() => this.#giveUp("This takes too long to compute."), PATIENCE);
    const text = JSON.stringify({ call: request.call, arguments: request.args });
    this.#worker.postMessage({ id: 1, request: text });
  }

  #receive(message) {
    if (message.ready) {
      this.isReady = true;
      this.onState("ready");
    } else if (!this.#busy) {
      this.onState("failed", message.failed);
    } else if (message.failed !== undefined) {
      this.#giveUp("This recipe is too large to be read here."); // Python does not survive it
      return;
    } else {
      const request = this.#finish();
      this.took[request.call] = message.took;
      const { answer, refused } = JSON.parse(message.reply);
      if (refused) request.reject(refused);
      else request.resolve(answer);
    }
    this.#next();
  }

  #finish() {
    clearTimeout(this.#timer);
    const request = this.#busy;
    this.#busy = undefined;
    return request;
  }

  #giveUp(message) {
    this.#worker.terminate();
    this.#launch();
    this.#finish().reject({ message, line: null, column: null });
  }
}

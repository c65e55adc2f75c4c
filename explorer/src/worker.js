// The worker: it starts Python, and passes requests to lrsched.explorer.calls.answer.
import "./classic.js";
import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";
import { info } from "pyodide/pyodide-lock.json";

const PLACE = "https://explorer.invalid/"; // what Pyodide would fetch comes from memory

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start(data) {
  const types = { "pyodide.asm.wasm": "application/wasm" };
  const files = {
    "pyodide.asm.wasm": unpacked(data.wasm),
    "python_stdlib.zip": unpacked(data.stdlib),
  };
  self.fetch = async (address) => {
    const name = String(address).slice(PLACE.length);
    if (!(name in files)) throw new Error(`The explorer fetches nothing: ${address}`);
    const headers = { "Content-Type": types[name] ?? "application/octet-stream" };
    return new Response(await files[name], { headers });
  };
  const library = unpacked(data.library);
  const python = await loadPyodide({
    indexURL: PLACE,
    createPyodideModule,
    lockFileContents: { info, packages: {} },
  });
  write(python.FS, JSON.parse(new TextDecoder().decode(await library)));
  return python.runPython(`
import sys
sys.path.append("/lib/lrsched-explorer")
from lrsched.explorer.calls import answer
answer
`);
}

function write(FS, files) {
  const root = "/lib/lrsched-explorer";
  for (const [path, file] of Object.entries(files)) {
    const cached = `${root}/${file.cached}`;
    FS.mkdirTree(cached.slice(0, cached.lastIndexOf("/")));
    FS.writeFile(`${root}/${path}`, file.source);
    FS.writeFile(
      cached,
      Uint8Array.from(atob(file.bytecode), (c) => c.charCodeAt(0)),
    );
  }
}

let answer;
self.onmessage = async ({ data: message }) => {
  try {
    if (message.data) {
      answer = await start(message.data);
      self.postMessage({ ready: true });
    } else {
      const begin = performance.now();
      const reply = answer(message.request);
      self.postMessage({ id: message.id, reply, took: performance.now() - begin });
    }
  } catch (error) {
    self.postMessage({ id: message.id, failed: String(error?.message ?? error) });
  }
};

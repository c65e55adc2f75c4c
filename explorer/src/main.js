import { Python } from "./python.js";
const t0=performance.now();
const p = new Python((s, m) => { document.title = s + (m||"") + (performance.now()-t0).toFixed(0); });
globalThis.py = p; p.start();

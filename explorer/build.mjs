// Builds the explorer: node build.mjs [FOLDER]. By default into lrsched/explorer/page.
//
// A page that is opened as a file may load classic scripts only, and fetch nothing. So the modules
// become one script, and Python, its standard library and lrsched stand in a second one, as text.
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { compiled } from "./compile.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const library = join(here, "..", "lrsched");
const output = process.argv[2] ?? join(library, "explorer", "page");
const LEFT_OUT = ["cli", "range_test", "sweep", "explorer/page", "__main__.py"];

const packed = (bytes) => gzipSync(bytes, { level: 9 }).toString("base64");
const source = (name) => readFileSync(join(here, "src", name), "utf8");
const installed = (name) => readFileSync(join(here, "node_modules", name));

async function bundled(name) {
  const result = await build({
    entryPoints: [join(here, "src", name)],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    external: ["node:*", "ws"], // Pyodide imports them where it runs in Node
    define: { "import.meta.url": '"https://explorer.invalid/"' },
  });
  return result.outputFiles[0].text;
}

function* pythonFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (LEFT_OUT.includes(relative(library, path))) continue;
    if (entry.isDirectory()) yield* pythonFiles(path);
    else if (entry.name.endsWith(".py")) yield path;
  }
}

const sources = Object.fromEntries(
  [...pythonFiles(library)]
    .sort()
    .map((path) => [join("lrsched", relative(library, path)), readFileSync(path, "utf8")]),
);
const { library: files, stdlib } = await compiled(sources);
const data = {
  worker: packed(await bundled("worker.js")),
  wasm: packed(installed("pyodide/pyodide.asm.wasm")),
  stdlib: packed(stdlib),
  library: packed(JSON.stringify(files)),
};

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
const written = {
  "index.html": source("index.html"),
  "explorer.css": installed("uplot/dist/uPlot.min.css") + "\n" + source("explorer.css"),
  "explorer.js": await bundled("main.js"),
  "data.js": `globalThis.EXPLORER_DATA = ${JSON.stringify(data)};\n`,
};
for (const [name, text] of Object.entries(written)) {
  writeFileSync(join(output, name), text);
  console.log(`${(text.length / 1e6).toFixed(2)} MB  ${join(output, name)}`);
}

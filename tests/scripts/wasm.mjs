// Runs pytest in Pyodide: node wasm.mjs REPOSITORY FOLDER FACTS ARGUMENTS...
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const [repository, folder, facts, ...options] = process.argv.slice(2);
const { loadPyodide } = createRequire(`${folder}/`)("pyodide");
const python = await loadPyodide({ env: { PYTHONDONTWRITEBYTECODE: "1", OTHER_VERSIONS: "1" } });
for (const [path, place] of [[repository, "/repository"], [folder, "/work"]]) {
  python.FS.mkdirTree(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: path }, place);
}
python.globals.set("options", python.toPy(options));
const status = python.runPython(`
import os, sys
sys.path[:0] = ["/repository", "/work/packages"]
os.chdir("/repository")
import pytest
pytest.main(options)
`);
python.globals.set("facts", facts);
const printed = python.runPython(`
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as printed:
    exec(facts, {})
printed.getvalue()
`);
writeFileSync(`${folder}/facts.json`, printed);
process.exit(Number(status));

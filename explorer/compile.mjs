// Compiles the library for the Python of the page, which then starts sooner.
import { loadPyodide } from "pyodide";

const COMPILE = `
import base64, importlib.util, marshal

def compiled(path, source):
    code = compile(source, path, "exec", dont_inherit=True)
    flags = (0b01).to_bytes(4, "little")  # a hash that is not checked
    stamp = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source.encode())
    return base64.b64encode(stamp + marshal.dumps(code)).decode()
`;

// The files of the library by path: each source, and its bytecode in base64 where Python looks.
export async function compiled(sources) {
  const python = await loadPyodide();
  python.runPython(COMPILE);
  const compile = python.globals.get("compiled");
  const files = {};
  for (const [path, source] of Object.entries(sources)) {
    const cached = path.replace(/([^/]+)\.py$/, "__pycache__/$1.cpython-314.pyc");
    files[path] = { source, cached, bytecode: compile(`/lib/${path}`, source) };
  }
  return files;
}

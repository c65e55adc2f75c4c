// Compiles the library, and Python's own, for the Python of the page, which then starts sooner.
import { loadPyodide } from "pyodide";

const COMPILE = `
import base64, importlib.util, io, marshal, zipfile

def bytecode(path, source, optimize=0):
    code = compile(source, path, "exec", dont_inherit=True, optimize=optimize)
    flags = (0b01).to_bytes(4, "little")  # a hash that is not checked
    stamp = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
    return stamp + marshal.dumps(code)

def compiled(path, source):
    return base64.b64encode(bytecode(path, source.encode())).decode()

def optimized(name):  # without documentation, which only Pyodide's own modules read
    return 0 if name.startswith(("pyodide/", "_pyodide/")) else 2

UNUSED = (
    "_pyrepl/", "multiprocessing/", "unittest/", "wsgiref/", "xml/", "xmlrpc/",
    "doctest.", "imaplib.", "mailbox.", "pdb.", "pydoc.",
)

def compiled_library():
    written = io.BytesIO()
    with zipfile.ZipFile("/lib/python314.zip") as library, zipfile.ZipFile(written, "w") as result:
        for name in library.namelist():
            if name.startswith(UNUSED):
                continue
            content = library.read(name)
            if name.endswith(".py"):
                content = bytecode(f"/lib/python314.zip/{name}", content, optimized(name))
                name += "c"
            result.writestr(name, content)
    return base64.b64encode(written.getvalue()).decode()
`;

// The standard library as a zip, and the files of lrsched by path: each source, and its bytecode in
// base64 where Python looks for it.
export async function compiled(sources) {
  const python = await loadPyodide();
  python.runPython(COMPILE);
  const compile = python.globals.get("compiled");
  const library = {};
  for (const [path, source] of Object.entries(sources)) {
    const cached = path.replace(/([^/]+)\.py$/, "__pycache__/$1.cpython-314.pyc");
    library[path] = { source, cached, bytecode: compile(`/lib/${path}`, source) };
  }
  const stdlib = Buffer.from(python.runPython("compiled_library()"), "base64");
  return { library, stdlib };
}

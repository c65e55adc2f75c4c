// Pyodide refuses a worker that has importScripts, as it loads modules. Here all is in one script
// instead: the page may be a file, and a file's worker cannot be a module.
self.importScripts = () => {
  throw new Error("The explorer imports nothing.");
};

"""Call functions when a module is imported, without importing it.

A finder at the front of `sys.meta_path` sees the name of each module that is looked for. It finds
none, so that all modules are found and loaded as without it. Each name is an occasion to look
whether a module is there for which functions wait. A package imports more modules after that one,
so the functions are called before the import of the package ends.

Another finder in front may hide names: ours goes to the front when it sees the next name. For code
that removes it, `call_waiting` is also called wherever a schedule is made, and where one is called
with a JAX array.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from threading import RLock
from types import ModuleType
from typing import Any

Function = Callable[[Any], object]

_waiting: dict[tuple[str, str], list[Function]] = {}  # by package, and module in it
_LOCK = RLock()


def when_imported(name: str, function: Function) -> None:
    """Call `function(module)` now if a module of a package is imported, else when it is.

    The function imports nothing: other threads that import something may wait for it.

    Args:
        name: the name of the module, such as "jax.tree_util".
        function: what to call, once.
    """
    package, _, module = name.rpartition(".")
    _waiting.setdefault((package, module), []).append(function)
    call_waiting()
    if _waiting and _WATCHER not in sys.meta_path:
        sys.meta_path.insert(0, _WATCHER)


def call_waiting() -> None:
    """Call the functions that wait for a module which is imported by now."""
    for package, name in tuple(_waiting):
        loaded = sys.modules.get(package)
        if loaded is not None:
            # A package has a module as an attribute when that is complete. `getattr` might load a
            # package that was made to load lazily.
            module = object.__getattribute__(loaded, "__dict__").get(name)
            if module is not None:
                _call(package, name, module)


def _call(package: str, name: str, module: Any) -> None:
    with _LOCK:  # another thread goes on only when all functions have returned
        functions = _waiting.get((package, name), [])
        while functions:
            functions[0](module)
            del functions[0]
        _waiting.pop((package, name), None)


class _Watcher:
    """A finder that finds nothing.

    Without the base classes of `importlib.abc`, whose import takes as long as all of lrsched.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        if _waiting:
            if self in sys.meta_path[1:]:
                sys.meta_path.remove(self)
                sys.meta_path.insert(0, self)
            call_waiting()


_WATCHER = _Watcher()

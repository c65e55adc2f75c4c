"""Schedules as JAX pytrees, without importing JAX.

The type is registered as soon as a schedule and JAX are both there: when one is made with JAX
loaded, or, for those made before, when the import of JAX is over.
"""

import importlib.util
import sys
import threading
from importlib.machinery import ModuleSpec
from typing import Any

_lock = threading.Lock()
_state = "unregistered"  # then "waiting" for the import of JAX, then "registered"


def register() -> None:
    """Register `Schedule` with JAX, now or once JAX is imported."""
    global _state
    if _state == "registered" or (_state == "waiting" and "jax" not in sys.modules):
        return
    with _lock:
        if _state == "registered":
            return
        jax = sys.modules.get("jax")
        if jax is not None and hasattr(jax, "tree_util"):
            _register_with(jax.tree_util)
            _state = "registered"
        elif _state == "unregistered":
            sys.meta_path.insert(0, _AfterImportOfJax())
            _state = "waiting"


class _AfterImportOfJax:
    """Finds nothing itself: has the loader of the package `jax` call `register` when it is done."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != "jax":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                register()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register_with(tree_util: Any) -> None:
    from lrsched._schedule import Schedule

    def flatten_with_keys(schedule: Any) -> tuple[Any, Any]:
        children, static = flatten(schedule)
        definition = schedule._definition
        names = [name for name in definition.parameters if name in definition.traced]
        keys = map(tree_util.GetAttrKey, names)
        return tuple(zip(keys, children, strict=True)), static

    def flatten(schedule: Any) -> tuple[Any, Any]:
        definition = schedule._definition
        children: list[Any] = []
        static: list[Any] = []
        for name, value in zip(definition.parameters, schedule._values, strict=True):
            (children if name in definition.traced else static).append(value)
        return children, (definition, tuple(static))

    def unflatten(static: Any, children: Any) -> Any:
        definition, kept = static
        traced, fixed = iter(children), iter(kept)
        return Schedule(
            definition,
            tuple(next(traced if n in definition.traced else fixed) for n in definition.parameters),
        )

    tree_util.register_pytree_with_keys(Schedule, flatten_with_keys, unflatten, flatten)

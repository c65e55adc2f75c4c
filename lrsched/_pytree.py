"""Types as JAX pytrees, without importing JAX."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

Register = Callable[[Any], None]


def when_jax_is_imported(register: Register) -> None:
    """Call `register(jax.tree_util)`: now, or as soon as the import of JAX is over."""
    tree_util = getattr(sys.modules.get("jax"), "tree_util", None)
    if tree_util is not None:
        register(tree_util)
    else:
        sys.meta_path.insert(0, _AfterImportOfJax(register))


class _AfterImportOfJax:
    """Finds nothing itself: has the loader of the package `jax` call `register` when it is done.

    Without it, a value made before JAX was imported could not be an argument of `jax.jit`.
    """

    def __init__(self, register: Register) -> None:
        self.register = register

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != "jax":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                self.register(module.tree_util)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def register_schedules(schedule_type: Any, tree_util: Any) -> None:
    """Make schedules pytrees whose leaves are the numeric hyperparameters."""

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
        return schedule_type(
            definition,
            tuple(next(traced if n in definition.traced else fixed) for n in definition.parameters),
        )

    tree_util.register_pytree_with_keys(schedule_type, flatten_with_keys, unflatten, flatten)

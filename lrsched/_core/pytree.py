"""Register types as JAX pytrees, without importing JAX.

JAX must know a type before a value of it can be an argument of `jax.jit`. Where JAX is loaded,
`when_jax_is_imported` registers a type at once, otherwise at the end of the import of JAX: a finder
on `sys.meta_path` wraps the loader of that import in one of its own, which delegates to it and then
registers the types. Another finder in front may hide the import from it, so `register_waiting` is
also called wherever a schedule is made, and where one is called with a JAX array.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

Register = Callable[[Any], None]

_waiting: list[Register] = []


def when_jax_is_imported(register: Register) -> None:
    """Call `register(jax.tree_util)` now, or at the end of the import of JAX."""
    _waiting.append(register)
    register_waiting()
    if _waiting and _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def register_waiting() -> None:
    """Register the types that wait for JAX, if it is loaded."""
    if not _waiting:
        return
    tree_util = getattr(sys.modules.get("jax"), "tree_util", None)
    if tree_util is None:
        return
    while _waiting:
        _waiting.pop()(tree_util)
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


class _Finder:
    """Finds JAX by the other finders, and wraps its loader.

    Without the base classes of `importlib.abc`, whose import takes as long as all of lrsched.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "jax":
            return None
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    if spec.loader is not None:
                        wrapped: Any = _Loader(spec.loader)
                        spec.loader = wrapped
                    return spec
        return None


class _Loader:
    """JAX's own loader, followed by the registration. It does not stay in the module."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        register_waiting()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


_FINDER = _Finder()


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

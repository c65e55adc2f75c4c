"""The packages that Lightning comes in: `lightning.pytorch`, and the older `pytorch_lightning`."""

from __future__ import annotations

import functools
import importlib.util
import sys
import types
from typing import Any, Self

NAMES = ("lightning.pytorch", "pytorch_lightning")
# What is in them and below them; objects of their classes are saved with their attributes.
TOP = ("lightning", "pytorch_lightning", "lightning_fabric", "lightning_utilities")

# The classes of objects that the test does not use, and of those that hold data.
_HOLDERS = (
    "Callback",
    "LightningDataModule",
    "loggers.Logger",
    "loops.fetchers._DataFetcher",
    "trainer.connectors.data_connector._DataLoaderSource",
    "utilities.combined_loader.CombinedLoader",
)


def imported() -> list[Any]:
    """The packages that are imported."""
    return [sys.modules[name] for name in NAMES if name in sys.modules]


def package_of(trainer: object) -> Any:
    """The package whose trainer this is, or None."""
    return next((p for p in imported() if isinstance(trainer, getattr(p, "Trainer", ()))), None)


def part(package: Any, name: str) -> Any:
    """What is in a submodule of a package."""
    submodule, _, attribute = name.rpartition(".")
    module = importlib.import_module(f"{package.__name__}.{submodule}") if submodule else package
    return getattr(module, attribute)


@functools.cache
def holders(package: types.ModuleType) -> tuple[type, ...]:
    """The classes of a package whose objects hold what is not state."""
    return tuple(part(package, name) for name in _HOLDERS)


class LightningCallback:
    """A callback of every package that is imported, though this module imports none of them.

    A package takes only instances of its own `Callback`, so the class of an object is made when the
    object is.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return object.__new__(_with_bases(cls, _callback_classes()))

    def __reduce__(self) -> tuple[Any, ...]:
        written = next(each for each in type(self).__mro__ if each not in _made.values())
        return _new, (written,), vars(self)


_made: dict[tuple[type, tuple[type, ...]], type] = {}


def _with_bases(cls: type, bases: tuple[type, ...]) -> type:
    """A class with these bases too."""
    if cls in _made.values():
        return cls
    if (cls, bases) not in _made:
        attributes = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        made = type(cls.__name__, (cls, *bases), {**attributes, "__doc__": cls.__doc__})
        _made[cls, bases] = made
    return _made[cls, bases]


def _new(cls: type[LightningCallback]) -> LightningCallback:
    """A callback without its attributes, when it is unpickled."""
    return cls.__new__(cls)


def _callback_classes() -> tuple[type, ...]:
    if not imported():
        installed = [name for name in NAMES if importlib.util.find_spec(name.partition(".")[0])]
        importlib.import_module([*installed, NAMES[0]][0])
    return tuple(package.Callback for package in imported())

"""What happened to a task that has no result."""

from __future__ import annotations

import importlib
import pickle
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MOST_SHOWN = 5  # failures in a warning


def dumps(value: Any) -> bytes:
    """Serialise a value: by cloudpickle where it is installed, which takes functions of notebooks.

    Raises:
        Exception: the value cannot be serialised.
    """
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ImportError:
        return pickle.dumps(value)
    return bytes(cloudpickle.dumps(value))


@dataclass(frozen=True)
class Failure:
    """What happened to a task that has no result.

    Attributes:
        text: what happened, in a sentence.
        trace: the traceback of the exception that the task raised, as text; empty where its worker
            was lost.
        pickled: that exception, or None where it cannot be pickled.
        error: the exception itself, where the task ran in this process.
    """

    text: str
    trace: str = ""
    pickled: bytes | None = None
    error: BaseException | None = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure of a task that raised an exception in this process."""
        return cls(said(error), "".join(traceback.format_exception(error)), error=error)

    def packed(self) -> Failure:
        """The same with its exception pickled, as it leaves its process."""
        try:
            pickled = dumps(self.error)
        except Exception:
            pickled = None
        return Failure(self.text, self.trace, pickled)

    def throw(self, introduction: str) -> NoReturn:
        """Raise the exception of the task, or a RuntimeError with an introduction and the text."""
        if self.error is not None:
            raise self.error
        error = self._unpickled()
        if error is None:
            trace = f"\n{self.trace}" if self.trace else ""
            raise RuntimeError(f"{introduction}: {self.text}{trace}")
        error.add_note(f"{introduction}; its traceback:\n{self.trace}")
        raise error

    def _unpickled(self) -> BaseException | None:
        if self.pickled is None:
            return None
        try:
            error = pickle.loads(self.pickled)
        except Exception:  # many take other arguments than they keep, or are of a missing module
            return None
        return error if isinstance(error, BaseException) else None


def said(error: BaseException) -> str:
    """An exception in one line, as a traceback ends."""
    message = str(error).partition("\n")[0]
    kind = type(error).__name__
    return f"{kind}: {message}" if message else kind


def succeeded(name: str, found: Mapping[str, Any]) -> list[Any]:
    """The outcomes that are no failure; if all are failures, what the first raised is raised."""
    outcomes = [each for each in found.values() if not isinstance(each, Failure)]
    if not outcomes:
        place, first = next(iter(found.items()))
        first.throw(f"{name}: all of {len(found)} trainings failed, {place} first")
    return outcomes


def warn(name: str, failures: Mapping[str, str]) -> None:
    """Warn the user, who called what called the caller, of what is missing."""
    if failures:
        shown = [f"{place} ({text})" for place, text in list(failures.items())[:MOST_SHOWN]]
        more = len(failures) - len(shown)
        text = "; ".join(shown) + (f"; and {more} more" if more else "")
        warnings.warn(f"{name}: missing or incomplete: {text}", UserWarning, stacklevel=4)

"""Range tests as files, as a table, and beside each other."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lrsched.serialize import from_dict

if TYPE_CHECKING:
    from lrsched.range_test import Array, RangeTest

VERSION = 1


def save(test: RangeTest, path: str | os.PathLike[str]) -> None:
    """Write a test to a .json or .npz file, at once or not at all."""
    path = Path(path)
    facts = _facts(test)
    arrays: dict[str, Any] = _arrays(test)
    if path.suffix == ".json":
        data = facts | {name: _plain(array) for name, array in arrays.items()}
        text = json.dumps(data, allow_nan=False)
        _replace(path, lambda file: file.write(text.encode()))
    elif path.suffix == ".npz":
        # As bytes: an array of text would depend on its length.
        encoded = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        arrays["facts"] = encoded
        _replace(path, lambda file: np.savez_compressed(file, **arrays))
    else:
        raise ValueError(f"RangeTest.save: path must end in .json or .npz, got {str(path)!r}")


def load(path: str | os.PathLike[str]) -> RangeTest:
    """The test that a file holds."""
    content = Path(path).read_bytes()
    try:
        return _from_npz(content) if content[:2] == b"PK" else _from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"RangeTest.load: {os.fspath(path)} is no range test: {reason}") from None


def to_csv(test: RangeTest) -> str:
    """A line for each update: its number, its learning rate and its loss in every repeat."""
    rows = np.atleast_2d(test.losses)
    names = ["loss"] if test.losses.ndim == 1 else [f"loss_{n}" for n in range(len(rows))]
    lines = [",".join(["update", "learning_rate", *names])]
    for update, rate in enumerate(test.learning_rates.tolist()):
        losses = ["" if np.isnan(x) else repr(float(x)) for x in rows[:, update]]
        lines.append(",".join([str(update), repr(rate), *losses]))
    return "\n".join(lines) + "\n"


def compare(a: RangeTest, b: RangeTest) -> str:
    """Where two tests are apart, in a few lines."""
    from lrsched.range_test import NoSuggestion

    def suggested(test: RangeTest) -> float | str:
        try:
            return test.suggest().suggested
        except NoSuggestion as refused:
            return f"none ({refused})"

    both = min(len(a.learning_rates), len(b.learning_rates))
    lines = [f"updates: {len(a.learning_rates)} and {len(b.learning_rates)}"]
    lines.append(f"stopped: {a.stopped} and {b.stopped}")
    for name, x, y in (
        ("learning rates", a.learning_rates[:both], b.learning_rates[:both]),
        ("losses", a.median[:both], b.median[:both]),
    ):
        lines.append(f"{name}: {_apart(x, y)}")
    first, second = suggested(a), suggested(b)
    lines.append(f"suggested: {_number(first)} and {_number(second)}")
    if isinstance(first, float) and isinstance(second, float):
        lines[-1] += f", {max(first, second) / min(first, second):.3g} times apart"
    return "\n".join(lines)


def _apart(x: Array, y: Array) -> str:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(x - y) / np.maximum(np.abs(x), np.abs(y))
    relative = np.nan_to_num(relative)  # 0 beside 0, or nothing recorded
    if not np.any(relative):
        return "the same"
    at = int(np.argmax(relative))
    return f"at most {relative[at]:.2g} relative apart, at update {at}: {x[at]:.6g} and {y[at]:.6g}"


def _number(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else value


def _facts(test: RangeTest) -> dict[str, Any]:
    stopped = test.stopped if isinstance(test.stopped, str) else list(test.stopped)
    recipe = None if test.schedule is None else test.schedule.to_dict()
    facts = {"lrsched_range_test": VERSION, "stopped": stopped, "schedule": recipe}
    return facts | {"label": test.label, "metrics": list(test.metrics)}


def _arrays(test: RangeTest) -> dict[str, Array]:
    arrays = {"learning_rates": test.learning_rates, "losses": test.losses}
    for number, values in enumerate(test.metrics.values()):
        arrays[f"metric_{number}"] = np.asarray(values, np.float64)
    if test.probe is not None:
        arrays["probe_learning_rates"] = test.probe.learning_rates
        arrays["probe_losses"] = test.probe.losses
    return arrays


def _from_json(content: bytes) -> RangeTest:
    data = json.loads(content)
    return _build(data, lambda name: _array(data[name]), "probe_losses" in data)


def _from_npz(content: bytes) -> RangeTest:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        facts = json.loads(stored["facts"].tobytes())
        return _build(facts, lambda name: stored[name], "probe_losses" in stored)


def _build(facts: dict[str, Any], array: Callable[[str], Array], probed: bool) -> RangeTest:
    from lrsched.range_test import Probe, RangeTest

    if facts["lrsched_range_test"] != VERSION:
        raise ValueError(f"its format is {facts['lrsched_range_test']!r} and not {VERSION}")
    stopped: Any = facts["stopped"]
    recipe = facts["schedule"]
    return RangeTest(
        array("learning_rates"),
        array("losses"),
        tuple(stopped) if isinstance(stopped, list) else stopped,
        None if recipe is None else from_dict(recipe),
        {name: array(f"metric_{n}").reshape(-1, 2) for n, name in enumerate(facts["metrics"])},
        Probe(array("probe_learning_rates"), array("probe_losses")) if probed else None,
        str(facts["label"]),
    )


def _plain(array: Array) -> Any:
    """An array as lists; what is not finite as text, which JSON has no number for."""
    if array.ndim > 1:
        return [_plain(row) for row in array]
    return [x if np.isfinite(x) else repr(x) for x in array.tolist()]


def _array(data: Any) -> Array:
    return np.asarray(data, np.float64)


def _replace(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file beside the path, and put it there when it is whole."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent or Path())
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        _with_usual_rights(name)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _with_usual_rights(name: str) -> None:
    """Give the file the rights of one that `open` makes; a temporary one is private."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(name, 0o666 & ~mask)

"""Range tests and sweeps as files, and range tests as a table."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from lrsched._atomic import write_file

T = TypeVar("T")
Array = npt.NDArray[np.float64]
Facts = Mapping[str, Any]  # plain data, as JSON holds it
Arrays = Mapping[str, npt.ArrayLike]


class Content(NamedTuple):
    """What a file holds: the class whose `save` writes it, and the same in words."""

    name: str
    words: str


RANGE_TEST = Content("RangeTest", "range test")


def write(
    path: str | os.PathLike[str],
    facts: Facts,
    arrays: Mapping[str, Array],
    content: Content = RANGE_TEST,
) -> None:
    """Write facts and arrays to a .json or .npz file, completely or not at all."""
    path = Path(path)
    if path.suffix == ".json":
        data = {**facts} | {name: _plain(array) for name, array in arrays.items()}
        text = json.dumps(data, allow_nan=False)
        write_file(path, lambda file: file.write(text.encode()))
    elif path.suffix == ".npz":
        # As bytes: an array of text would depend on its length.
        encoded: Any = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        stored = {**arrays, "facts": encoded}
        write_file(path, lambda file: np.savez_compressed(file, **stored))
    else:
        name = f"{content.name}.save"
        raise ValueError(f"{name}: path must end in .json or .npz, got {str(path)!r}")


def read(
    path: str | os.PathLike[str],
    build: Callable[[Facts, Arrays], T],
    content: Content = RANGE_TEST,
) -> T:
    """Read a file that `write` wrote, and return `build(facts, arrays)`.

    The arrays of a JSON file are lists, in which numbers that are not finite are text.
    """
    data = Path(path).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what a reader would warn of, `write` did not write
            return build(*(_from_npz(data) if data[:2] == b"PK" else _from_json(data)))
    except Exception as error:  # zipfile and its decompressors raise a dozen kinds
        reason = str(error).partition("\n")[0] or type(error).__name__
        where = f"{content.name}.load: {os.fspath(path)}"
        raise ValueError(f"{where} is no {content.words}: {reason}") from None


def check_version(facts: Facts, key: str, version: int) -> None:
    """Raise if a file's format, under its key, is not of this version."""
    if facts[key] != version:
        raise ValueError(f"its format is {facts[key]!r} and not {version}")


def to_csv(rates: Array, losses: Array) -> str:
    """A line for each update: its number, its learning rate and its loss in every repeat."""
    rows = np.atleast_2d(losses)
    names = ["loss"] if losses.ndim == 1 else [f"loss_{n}" for n in range(len(rows))]
    lines = [",".join(["update", "learning_rate", *names])]
    for update, rate in enumerate(rates.tolist()):
        found = ["" if np.isnan(x) else repr(float(x)) for x in rows[:, update]]
        lines.append(",".join([str(update), repr(rate), *found]))
    return "\n".join(lines) + "\n"


def _from_json(content: bytes) -> tuple[Facts, Arrays]:
    data = json.loads(content)
    return data, data


def _from_npz(content: bytes) -> tuple[Facts, Arrays]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        arrays = {name.removesuffix(".npy"): _from_npy(archive.read(name)) for name in names}
    return json.loads(arrays.pop("facts").tobytes()), arrays


def _from_npy(content: bytes) -> npt.NDArray[Any]:
    """The array of a .npy file. `np.load` would allocate whatever size its header claims."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is not in the format 1.0")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "fiu":
        raise ValueError(f"an array holds {dtype} and not numbers")
    data: npt.NDArray[Any] = np.frombuffer(content, dtype, offset=stream.tell())
    return data.reshape(shape, order="F" if by_column else "C")


def _plain(array: Array) -> Any:
    """An array as lists. Numbers that are not finite become text, as JSON has none."""
    if array.ndim > 1:
        return [_plain(row) for row in array]
    return [x if np.isfinite(x) else repr(x) for x in array.tolist()]

"""The data of the examples: handwritten digits, and the source code of Python as text."""

import random
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Array = npt.NDArray[Any]
Pairs = tuple[Array, Array]  # images of shape (N, 64), and their labels


def digits() -> tuple[Pairs, Pairs]:
    """The digits to train on, and those that are held out; the images are 64 numbers up to 1."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    split = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    return (split[0], split[2]), (split[1], split[3])


def source_code(characters: int) -> Array:
    """Modules of the standard library in a random order, one after the other, as ASCII codes."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    random.Random(0).shuffle(paths)
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    return np.frombuffer(text[:characters].encode("ascii", "ignore"), np.uint8).astype(np.int64)

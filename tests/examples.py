"""Examples that tests run in their own process, and what they print and draw."""

import contextlib
import importlib.util
import io
import re
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from tests.optional import needs
from tests.processes import ROOT

for library in ("sklearn", "matplotlib"):
    needs(library)

from matplotlib import image, pyplot

EXAMPLES = ROOT / "examples"


def printed_by(name: str, *options: str, folder: Path) -> str:
    """Run an example, check its picture, and return what it prints."""
    picture = folder / "pictures" / f"{name}.png"
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "path", [str(EXAMPLES), *sys.path]),  # of the data
        contextlib.redirect_stdout(printed),
    ):
        imported(name).main([*options, "--output", str(picture)])
    pyplot.close("all")
    pixels = image.imread(picture)
    assert min(pixels.shape[:2]) >= 250
    assert 0.01 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.5  # ink on white
    return printed.getvalue()


def imported(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(text: str, label: str) -> list[float]:
    """The numbers in the rest of the line that begins with a label."""
    (line,) = re.findall(rf"^{re.escape(label)}(.*)$", text, re.MULTILINE)
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", line)]

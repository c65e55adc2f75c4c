"""The executors of other libraries: what a sweep is on them is what it is in this process."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs
from tests.processes import outputs, start


@cache
def results(library: str, folder: Path) -> Any:
    """What the script found, on the last line that it printed."""
    needs({"dask": "distributed"}.get(library, library))
    needs("cloudpickle")
    process = start("sweep_executors.py", library, folder, warnings="default")
    (text,) = outputs(process)
    return json.loads(text.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("executors")


@pytest.mark.parametrize("library", ["dask", "ray", "submitit"])
def test_a_sweep(library: str, folder: Path) -> None:
    """Of a local function, which cloudpickle takes."""
    found = results(library, folder)
    assert len(found["here"]) == (2 if library == "submitit" else 4)
    assert found["there"] == found["here"]


def test_a_training_that_kills_its_worker_of_dask(folder: Path) -> None:
    """It is tried again once; the others are kept."""
    found = results("dask", folder)["killed"]
    (text,) = found["warnings"]
    assert "incomplete: seed 1 (its worker was lost twice" in text
    assert found["found"] == found["wanted"]

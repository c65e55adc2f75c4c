"""The JAX range test over a mesh of eight devices, and in two processes."""

import functools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "scripts"
FOLDERS = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-W",
        "error",
        str(SCRIPTS / script),
        *map(str, arguments),
    ]
    environment = {**os.environ, "PYTHONPATH": FOLDERS}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


@functools.cache
def over_a_mesh() -> Any:
    out, err = start("jax_mesh.py").communicate(timeout=120)
    assert out, err
    return json.loads(out)


@pytest.mark.parametrize("name", ["data parallel", "sharded", "compiled"])
def test_a_mesh_gives_the_curve_of_one_device(name: str) -> None:
    found = over_a_mesh()
    assert len(found["one device"]) == 30
    np.testing.assert_allclose(found[name], found["one device"], rtol=1e-5)
    assert found[name] != found["one device"]  # summed in another order


def test_sharded_parameters_stay_where_they_are() -> None:
    found = over_a_mesh()
    assert set(found["placements"]) == {found["after"]}
    assert len(found["placements"]) == 30
    before, *after = found["compilations"]
    assert before < after[0] == after[-1]  # the update is compiled once


def test_two_processes_agree_and_stop_at_the_same_update() -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [start("jax_processes.py", number, port) for number in range(2)]
    try:
        (first, err), (second, other_err) = (
            process.communicate(timeout=120) for process in processes
        )
    finally:
        for process in processes:
            process.kill()
    assert first, err
    assert second, other_err
    found, other = (json.loads(out.splitlines()[-1]) for out in (first, second))
    assert found == other
    for stopped in ("diverged", "finished"):
        loop, compiled = (found[f"{stopped}, compiled={way}"] for way in (False, True))
        assert loop == compiled
        assert loop[1] == stopped
        assert (len(loop[0]) == 60) == (stopped == "finished")

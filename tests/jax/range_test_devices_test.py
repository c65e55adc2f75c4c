"""The JAX range test over a mesh of eight devices, and in two processes."""

import functools
import json
import socket
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import numpy as np
import pytest

from tests.processes import outputs, start


@functools.cache
def over_a_mesh() -> Any:
    (out,) = outputs(start("jax_mesh.py"))
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
    found, other = (json.loads(out.splitlines()[-1]) for out in outputs(*processes))
    assert found == other
    for name in ("diverged", "finished", "further"):
        loop, compiled = (found[f"{name}, compiled={value}"] for value in (False, True))
        assert loop == compiled
        losses, stopped, _, trainings = loop
        assert stopped == ("diverged" if name == "further" else name)
        assert (len(losses) == 60) == (name == "finished")
        assert (len(trainings) > 0) == (name == "further")

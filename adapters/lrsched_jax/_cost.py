"""Whether a loop on the device is the faster one for a program."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

LARGEST = 1e7  # multiply-adds in the matrix products of an update: well under a millisecond


def loop_pays(program: ClosedJaxpr) -> bool:
    """Whether updates by this program are surely no slower in one loop on the device.

    What a loop saves is the time between updates, some 0.1 ms each, so only small ones gain. XLA
    has no fast convolutions inside a loop on the CPU: there they take 4 to 8 times as long.
    Elsewhere nothing was measured.
    """
    if jax.default_backend() != "cpu":
        return False
    work = 0.0
    for equation in _equations(program.jaxpr):
        name = equation.primitive.name
        if name in ("conv_general_dilated", "while", "scan", "fft") or "callback" in name:
            return False
        if name == "dot_general":
            contracted = equation.params["dimension_numbers"][0][0]
            inner = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            work += math.prod(equation.outvars[0].aval.shape) * inner
    return work < LARGEST


def _equations(jaxpr: Jaxpr) -> Iterator[Any]:
    """The equations of a program, those of the programs in it included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: isinstance(x, (Jaxpr, ClosedJaxpr))
        ):
            if isinstance(value, (Jaxpr, ClosedJaxpr)):
                yield from _equations(value.jaxpr if isinstance(value, ClosedJaxpr) else value)

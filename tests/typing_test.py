"""What a type checker makes of the decorated factories, as a user's code sees them."""

import subprocess
import sys
from pathlib import Path

from tests.optional import needs
from tests.processes import ROOT

needs("mypy")
needs("jax")
needs("torch")

CODE = """\
import jax.numpy as jnp
import numpy as np
import torch
from typing import assert_type

import lrsched
from lrsched import Schedule, cyclic, linear

assert_type(cyclic(0.001, 0.01, up_steps=20), Schedule)
assert_type(linear(1, 0, 10)(3), float)
linear(jnp.float32(1.0), np.float32(2), np.int64(10))
linear(torch.tensor(1.0), 0, steps=10)
lrsched.join([linear(1, 0, 10), 0.5 * linear(1, 0, 10)], [10])
lrsched.warmup_stable_decay(1.0, 10, lrsched.epochs(5), np.int64(20), shape="1-sqrt")
cyclic(1, 2, mode=lambda cycle: 1 / (1 + cycle))


@lrsched.schedule
def halving(
    xp: lrsched.Namespace,
    count: lrsched.Array,
    init_value: lrsched.Value,
    halving_steps: lrsched.Steps,
) -> lrsched.Array:
    return init_value * 0.5 ** (count / halving_steps)


assert_type(halving(0.1, halving_steps=50), Schedule)
assert_type(lrsched.RangeTest.load("test.json"), lrsched.RangeTest)
assert_type(lrsched.load("recipe.json", lrsched.Plateau), lrsched.Plateau)
lrsched.load("recipe.json")(3)

linear("a", 1, 10)  # arg-type
lrsched.one_cycle(1, 10.5)  # arg-type
linear(1, 1)  # call-arg
cyclic(1, 2, mode=3)  # arg-type
cyclic(1, 2, gamma=0.9)  # call-arg
lrsched.warmup(3, 10)  # arg-type
lrsched.one_cycle(1, 10, anneal="cos")  # arg-type
lrsched.anneal(1, 0, 10, "sqrt")  # arg-type
lrsched.warmup_stable_decay(1, 1, 1, 1, shape="cos")  # arg-type
cyclic(1, 2, mode="triangle")  # arg-type
halving(0.1, "5")  # arg-type
linear(1, 0, 10)(1).lr  # attr-defined
lrsched.rangeTest  # attr-defined
lrsched.load("recipe.json").reslove()  # union-attr
"""


def test_mypy_reads_the_signatures(tmp_path: Path) -> None:
    source = tmp_path / "consumer.py"
    source.write_text(CODE)
    # With the project's settings, so that what `make types` has read need not be read again.
    command = [sys.executable, "-m", "mypy", str(source)]
    report = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout
    found = [
        (int(line.split(":")[1]), line.rsplit("[", 1)[1].rstrip("]"))
        for line in report.splitlines()
        if ": error: " in line
    ]
    planted = [
        (number, line.split("  # ")[1])
        for number, line in enumerate(CODE.splitlines(), 1)
        if "  # " in line
    ]
    assert found == planted, report

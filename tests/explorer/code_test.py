"""What the page tells to write is run, and gives the rates of the recipe."""

from __future__ import annotations

import contextlib
import io
import shlex
from pathlib import Path
from typing import Any

import pytest

import lrsched
from lrsched.explorer.code import WIDTH, code, formatted
from lrsched.explorer.examples import EXAMPLES
from tests.cli.invoke import run as run_command
from tests.optional import needing, needs

WARM = "0.5 * warmup(cosine_decay(0.1, 900), 100)"
IN_UNITS = "warmup(cosine_decay(0.1, run_fraction(1.0) - epochs(2)), epochs(2))"
LENGTHS = {"total_steps": "1000", "steps_per_epoch": "50"}
FOLLOWING = "warmup(reduce_on_plateau(0.1, patience=3), 100)"


def expected(text: str) -> Any:
    return lrsched.from_repr(text).resolve(total_steps=1000, steps_per_epoch=50)


def executed(name: str, text: str, **names: Any) -> dict[str, Any]:
    exec(code(text, LENGTHS)[name], names)
    return names


@pytest.mark.parametrize("text", [WARM, IN_UNITS])
@pytest.mark.parametrize(
    "name", [needing("optax", "optax"), needing("torch", "torch"), needing("keras", "keras")]
)
def test_the_code_of_a_framework_has_the_schedule(name: str, text: str) -> None:
    names = {"model": needs("torch").nn.Linear(2, 1)} if name == "torch" else {}
    found = executed(name, text, **names)
    assert found["schedule"] == expected(text)
    rate = expected(text)(0)
    if name == "torch":
        assert found["optimizer"].param_groups[0]["lr"] == pytest.approx(rate)
        assert isinstance(found["scheduler"], needs("torch").optim.lr_scheduler.LambdaLR)
    elif name == "keras":
        assert float(found["optimizer"].learning_rate) == pytest.approx(rate)
    else:
        params = needs("jax.numpy", "jax").ones(2)
        updates, _ = found["optimizer"].update(params, found["optimizer"].init(params))
        assert float(updates[0]) == pytest.approx(-rate)


@pytest.mark.parametrize(
    "name", [needing("optax", "optax"), needing("torch", "torch"), needing("keras", "keras")]
)
def test_the_code_of_what_follows_a_metric(name: str) -> None:
    names = {"model": needs("torch").nn.Linear(2, 1)} if name == "torch" else {}
    found = executed(name, FOLLOWING, **names)
    made = {"optax": "optimizer", "torch": "scheduler", "keras": "follow"}[name]
    assert found["schedule"] == lrsched.from_repr(FOLLOWING)
    assert found[made] is not None


@pytest.mark.parametrize("text", [WARM, IN_UNITS])
def test_the_commands_print_its_values(text: str, tmp_path: Path) -> None:
    values, stored = [
        shlex.split(line) for line in code(text, LENGTHS, 3)["shell"].splitlines()[1:]
    ]
    table = run_command(*values[1:]).stdout.splitlines()
    assert table == ["step,learning_rate", *(f"{n},{expected(text)(n)!r}" for n in range(3))]
    with contextlib.chdir(tmp_path):
        assert run_command(*stored[1:]).exit_code == 0
    assert lrsched.load(tmp_path / "recipe.json") == lrsched.from_repr(text)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=lambda schedule: schedule.name)
def test_the_texts_of_every_example(schedule: lrsched.Schedule) -> None:
    found = code(repr(schedule), {})
    assert lrsched.from_json(found["json"]) == schedule
    assert all(len(line) <= WIDTH for line in found["torch"].splitlines())
    names: dict[str, Any] = {}
    begin, end = found["optax"].index("from lrsched"), found["optax"].index("optimizer")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(found["optax"][begin:end], names)
    assert names["schedule"] == schedule
    assert not printed.getvalue()


def test_a_length_that_is_not_given_is_left_open() -> None:
    found = code(IN_UNITS, {"total_steps": "1000"})
    line = "schedule = schedule.resolve(total_steps=1000, steps_per_epoch=...)"
    assert line in found["torch"]
    assert "--total-steps 1000 --steps-per-epoch N" in found["shell"]


def test_a_quote_cannot_end_the_argument_of_a_command() -> None:
    line = code("warmup(constant(1), 5, shape='cosine')", {})["shell"].splitlines()[0]
    assert shlex.split(line)[:2] == ["lrsched", "plot"]
    assert len(shlex.split(line)) == 3


def test_long_lines_are_broken() -> None:
    for schedule in EXAMPLES:
        call = f"schedule = {schedule!r}"
        text = formatted(call)
        assert ("\n" in text) == (len(call) > WIDTH)
        assert lrsched.from_repr(text.partition("=")[2]) == schedule

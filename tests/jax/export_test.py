"""Functions that take schedules and plateaus, serialized by `jax.export` and read again."""

import subprocess
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("jax")
needs("flatbuffers")

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export

import lrsched
from lrsched import Schedule
from tests.durations import durations
from tests.processes import run_python
from tests.strategies import BY_NAME, NAMES, schedules

PLATEAU = lrsched.reduce_on_plateau(0.1, patience=0, mode="max", threshold_mode="abs")


def written(function: Any, *arguments: Any) -> bytes:
    return bytes(export.export(jax.jit(function))(*arguments).serialize())


def called(written: bytes, *arguments: Any) -> Any:
    """The value of a function that is read."""
    return export.deserialize(bytearray(written)).call(*arguments)  # type: ignore[no-untyped-call]


def assert_structure_is_kept(tree: Any) -> None:
    """Of arguments and results: the static part is as it was."""
    exported = export.export(jax.jit(lambda tree: tree))(tree)
    read = export.deserialize(exported.serialize())
    assert (read.in_tree, read.out_tree) == (exported.in_tree, exported.out_tree)


@settings(max_examples=3)
@given(st.tuples(*(BY_NAME[name] for name in NAMES)))
def test_the_static_part_of_every_schedule_is_kept(examples: tuple[Schedule, ...]) -> None:
    assert_structure_is_kept(examples)


@settings(max_examples=30)
@given(
    st.one_of(
        schedules,
        durations.map(lambda duration: lrsched.linear(1.0, 0.0, duration)),
        st.builds(lrsched.warmup, schedules, durations),
    )
)
def test_the_static_part_of_nested_schedules_and_durations_is_kept(schedule: Schedule) -> None:
    assert_structure_is_kept({"schedule": schedule})


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateaus_and_their_states(mode: Any, threshold_mode: Any) -> None:
    plateau = PLATEAU.replace(mode=mode, threshold_mode=threshold_mode)
    assert_structure_is_kept((plateau, plateau.init()))


def test_numbers_are_arguments() -> None:
    def value(schedule: Schedule, count: Any) -> Any:
        return schedule(count)

    def schedule(peak: float, steps: int) -> Schedule:
        parts = lrsched.cyclic(0.0, peak, steps, shape="cosine"), lrsched.constant(0.5)
        return lrsched.warmup(lrsched.join(parts, [3 * steps]), 2)

    function = written(value, schedule(1.0, 10), 7)
    for count in (0, 1, 7, 12, 40):
        assert called(function, schedule(0.2, 8), count) == jax.jit(value)(schedule(0.2, 8), count)


def test_a_plateau_is_updated() -> None:
    def update(plateau: Any, state: Any, metric: Any) -> Any:
        return plateau.update(state, metric)

    arguments = PLATEAU, PLATEAU.init(), 3.0
    assert called(written(update, *arguments), *arguments) == jax.jit(update)(*arguments)


def test_a_schedule_is_resolved_inside() -> None:
    def value(schedule: Schedule, count: Any) -> Any:
        return schedule.resolve(total_steps=100, steps_per_epoch=10)(count)

    end = lrsched.run_fraction(1.0) - lrsched.epochs(1.5) - 5
    schedule = lrsched.linear(1.0, 0.0, end)
    function = written(value, schedule, 40)
    assert called(function, schedule, 40) == 0.5
    with pytest.raises(ValueError, match="tree"):
        called(function, lrsched.linear(1.0, 0.0, end - 1), 40)


# What both processes know of the schedule.
OWN = """
import lrsched
from lrsched._core.kinds import Flag

@lrsched.schedule
def halves(xp, count, init_value: lrsched.Value, steps: lrsched.Steps, is_late: Flag = False):
    return init_value * 0.5 ** ((count + is_late) / steps)

schedule = lrsched.warmup(halves(1.0, 10, True), 5, shape="cosine")
"""
WRITE = """
import jax
from jax import export
exported = export.export(jax.jit(lambda schedule, count: schedule(count)))(schedule, 14)
open(path, "wb").write(exported.serialize())
"""
READ = """
from jax import export
read = export.deserialize(bytearray(open(path, "rb").read()))
assert read.call(schedule, 14) == 0.5
"""


@pytest.mark.parametrize("first", ["import jax", "from jax import export", ""])
def test_another_process_reads_it(first: str, tmp_path: Path) -> None:
    """A user's own schedule among them, of `__main__` or of a module."""
    (tmp_path / "own.py").write_text(OWN)
    imported = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom own import schedule\n"
    path = f"path = {str(tmp_path / 'function')!r}\n"
    run_python(f"{first}\n{path}{OWN}{WRITE}")
    run_python(f"{first}\n{path}{imported}{READ}")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_python(f"import lrsched\n{path}{READ}")
    assert "(your own is one when the module that defines it is imported), got 'halves'" in str(
        caught.value.stderr
    )


def test_a_function_among_the_hyperparameters_is_refused() -> None:
    schedule = lrsched.cyclic(0.1, 0.2, 3, mode=lambda cycle: 1.0 / (1.0 + cycle))
    with pytest.raises(TypeError, match="cyclic: mode must be a name: functions cannot be serial"):
        written(lambda schedule, count: schedule(count), schedule, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cyclic",
            "cyclik",
            "jax.export: did you mean 'cyclic'[?] schedule must be one of add, .* got 'cyclik'",
        ),
        ('"schedule"', '"scheduel"', 'jax.export: a schedule must be {"schedule": name, "params"'),
        ('{"schedule"', '["schedule"', "jax.export: the static part must be a JSON object, got b"),
        ('"shape"', '"shade"', r"cyclic: what is static must be \['mode', 'shape'\], got \['mode'"),
        ("cosine", "cosin.", "cyclic: shape must be 'linear' or 'cosine', got 'cosin.'"),
        ('"mode": "max"', '"mood": "max"', r"reduce_on_plateau: what is static must be \['mode', "),
        ('"mode": "max"', '"mode": "mix"', "reduce_on_plateau: mode must be 'min' or 'max', got"),
        ('"epochs"', '"epochz"', "from_dict: duration must be {"),
    ],
)
def test_a_static_part_that_is_unknown_is_refused(old: str, new: str, message: str) -> None:
    tree = PLATEAU, lrsched.cyclic(0.1, 0.2, lrsched.epochs(3), shape="cosine")
    text = written(lambda tree: 1.0, tree)
    assert old.encode() in text
    with pytest.raises(ValueError, match=message):
        export.deserialize(bytearray(text.replace(old.encode(), new.encode())))

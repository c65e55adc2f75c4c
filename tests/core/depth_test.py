"""Schedules in schedules: as deep as every operation can follow, and refused beyond that."""

import copy
import functools
import io
import pickle
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import lrsched
from lrsched import Inner, Schedule
from lrsched._core.definition import REGISTRY
from tests.optional import needs

ONE = lrsched.constant(1.0)
USERS_FRAMES = 400  # of the stack, before the operation


@lrsched.schedule
def halved_of_a_test(xp: Any, count: Any, schedule: Inner) -> Any:
    return 0.5 * schedule(count)


WRAP: dict[str, list[Callable[[Any], Schedule]]] = {
    "warmup": [lambda s: lrsched.warmup(s, 1)],
    "join": [lambda s: lrsched.join([s, ONE], [9]), lambda s: lrsched.join([ONE, s], [1])],
    "then_scale": [
        lambda s: lrsched.then_scale(s, 9, ONE),
        lambda s: lrsched.then_scale(ONE, 1, s),
    ],
    "scale": [lambda s: s * 0.9],
    "product": [lambda s: s * ONE, lambda s: ONE * s],
    "add": [lambda s: s + ONE, lambda s: ONE + s],
    "minimum": [lambda s: lrsched.minimum(s, ONE), lambda s: lrsched.minimum(ONE, s)],
    "maximum": [lambda s: lrsched.maximum(s, ONE), lambda s: lrsched.maximum(ONE, s)],
    "clip": [lambda s: lrsched.clip(s, 0.0, 1.0)],
    "noise": [lambda s: lrsched.noise(s, 0.1)],
    "delay": [lambda s: lrsched.delay(s, 1)],
    "advance": [lambda s: lrsched.advance(s, 1)],
    "repeat": [lambda s: lrsched.repeat(s, 50)],
    "reverse": [lambda s: lrsched.reverse(s, 50)],
    "staircase": [lambda s: lrsched.staircase(s, 2)],
    "cooldown": [lambda s: lrsched.cooldown(s, 5, 50)],
    "scale_for_batch_size": [lambda s: lrsched.scale_for_batch_size(s, 9, 10)],
    "time_warp": [lambda s: lrsched.time_warp(s, (1, 2), (5,))],
    "resume": [lambda s: lrsched.resume(s, 5, batch_size=(1, 2))],
    "switch": [lambda s: lrsched.switch(s, ONE, 5), lambda s: lrsched.switch(ONE, s, 1)],
    "with_restarts": [lambda s: lrsched.with_restarts(s, 50, 1)],
    "halved_of_a_test": [lambda s: halved_of_a_test(s)],
}
WRAPS = [wrap for wraps in WRAP.values() for wrap in wraps]


def nested(wraps: list[Callable[[Any], Schedule]]) -> Schedule:
    """A schedule of the largest depth, in which these follow each other."""
    schedule = lrsched.linear(1.0, 0.5, 40)
    while True:
        shallower = schedule
        for wrap in wraps:
            with suppress(ValueError):
                schedule = wrap(schedule)
        if schedule is shallower:
            return schedule


CHAINS = {
    **{f"{name} {n}": [wrap] for name, wraps in WRAP.items() for n, wrap in enumerate(wraps)},
    **{f"mixed {n}": random.Random(n).sample(WRAPS, len(WRAPS)) for n in range(3)},
}


def python_pickle(schedule: Schedule) -> Any:
    buffer = io.BytesIO()
    pickle._Pickler(buffer).dump(schedule)  # what cloudpickle and multiprocessing build on
    return pickle._loads(buffer.getvalue())  # type: ignore[attr-defined]  # not in typeshed


OPERATIONS: dict[str, Callable[[Schedule, Schedule], Any]] = {
    "repr": lambda s, same: lrsched.from_repr(repr(s)) == same,
    "json": lambda s, same: lrsched.from_json(s.to_json(indent=1)) == same,
    "config": lambda s, same: lrsched.from_config(s.to_dict()) == same,
    "text in a config": lambda s, same: lrsched.from_config(repr(s)) == same,
    "equality": lambda s, same: s == same,
    "hash": lambda s, same: hash(s) == hash(same),
    "pickle": lambda s, same: pickle.loads(pickle.dumps(s)) == same,
    "pickle in Python": lambda s, same: python_pickle(s) == same,
    "deepcopy": lambda s, same: copy.deepcopy(s) == same,
    "numbers": lambda s, same: [s(n) for n in range(4)] == [same(n) for n in range(4)],
    "numpy": lambda s, same: np.array_equal(s(np.arange(9)), same(np.arange(9))),
    "a number of numpy": lambda s, same: float(s(np.asarray(3))) == float(same(np.asarray(3))),
    "stretch": lambda s, same: lrsched.stretch(s, 1) == same,
    "resolve": lambda s, same: s.resolve(total_steps=50) == same,
    "leaves": lambda s, same: list(s.leaves()) == list(same.leaves()),
    "diff": lambda s, same: lrsched.diff(s, same, 5).same,
}


def after(frames: int, do: Callable[[], Any]) -> Any:
    """The result of `do`, called when the stack is this much deeper."""
    return after(frames - 1, do) if frames else do()


def test_every_combinator_is_tried() -> None:
    of_schedules = {
        name
        for name, definition in REGISTRY.items()
        if any(kind.item_type is Schedule for kind in definition.kinds.values())
        and (definition.is_own or name == "halved_of_a_test")
    }
    assert WRAP.keys() == of_schedules


@pytest.mark.parametrize("chain", CHAINS)
def test_what_is_accepted_can_be_used_in_every_way(chain: str) -> None:
    schedule, same = nested(CHAINS[chain]), nested(CHAINS[chain])
    for name, operation in OPERATIONS.items():
        assert after(USERS_FRAMES, functools.partial(operation, schedule, same)), name


@pytest.mark.parametrize("chain", ["warmup 0", "join 0", "join 1", "then_scale 1", "mixed 0"])
def test_arrays_of_every_library_follow(chain: str) -> None:
    schedule = nested(CHAINS[chain])
    expected = pytest.approx([schedule(n) for n in range(4)], rel=1e-5)
    torch = needs("torch")
    assert after(USERS_FRAMES, lambda: schedule(torch.arange(4)).tolist()) == expected
    jax = needs("jax")
    counts = jax.numpy.arange(4)
    for evaluate in (
        lambda: schedule(counts),
        lambda: jax.jit(schedule)(counts),
        lambda: jax.jit(lambda s, n: s(n))(schedule, counts),
        lambda: jax.vmap(schedule)(counts),
    ):
        assert after(USERS_FRAMES, evaluate).tolist() == expected
    leaves, structure = after(USERS_FRAMES, lambda: jax.tree.flatten(schedule))
    assert after(USERS_FRAMES, lambda: jax.tree.unflatten(structure, leaves)) == schedule
    paths = after(USERS_FRAMES, lambda: jax.tree_util.tree_flatten_with_path(schedule))[0]
    assert len(paths) == len(leaves)


@pytest.mark.parametrize("chain", CHAINS)
def test_one_level_more_is_refused_when_it_is_made(chain: str) -> None:
    schedule = nested(CHAINS[chain])
    for wrap in CHAINS[chain]:
        with pytest.raises(ValueError, match=r": \w+ must be .* of less than 64 levels of nesting"):
            wrap(schedule)


def test_more_parts_than_can_be_written_are_refused() -> None:
    """Each sum of a schedule with itself has twice as many."""
    schedule = lrsched.linear(1e-9, 1e-10, 40)
    for _ in range(15):
        schedule = schedule + schedule
    assert lrsched.from_json(schedule.to_json()) == schedule
    doubled = schedule + schedule
    with pytest.raises(ValueError, match="add: first must be a schedule of at most 100000 parts"):
        doubled + doubled


def test_named_recipes_refuse_it_too() -> None:
    schedule = nested(CHAINS["delay 0"])
    makes: list[Callable[[], Schedule]] = [
        lambda: lrsched.with_restarts(schedule, 10, 2),
        lambda: lrsched.scale_for_batch_size(schedule, 2, 1),
        lambda: lrsched.from_epochs(schedule, 10, stepwise=True),
        lambda: lrsched.from_repr(f"delay({schedule!r}, 1)"),
    ]
    for make in makes:
        with pytest.raises(ValueError, match="of less than 64 levels of nesting"):
            make()


def test_a_copy_with_arrays_has_arrays_of_its_own() -> None:
    schedule = lrsched.warmup(lrsched.constant(1.0), 3)
    assert copy.deepcopy(schedule) is schedule
    assert copy.copy(schedule) is schedule
    torch = needs("torch")
    learned = torch.tensor(0.5, requires_grad=True)
    traced = lrsched.warmup(lrsched.constant(learned), 3)
    copied = copy.deepcopy(traced)
    assert copied.params["schedule"].params["value"] is not learned
    assert copied == traced

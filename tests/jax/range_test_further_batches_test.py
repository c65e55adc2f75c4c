"""The batches of a JAX range test that goes on, of every kind."""

import itertools
from collections.abc import Iterator
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import numpy as np
import pytest

import lrsched
from lrsched_jax._batches import Batches
from lrsched_jax._range_test import REFUSE
from tests.jax.squares import (
    BATCHES,
    HIGHER,
    REFINED,
    STEPWISE_AND_COMPILED,
    check_alike,
    check_parts,
    ramps,
    run,
    trainings,
)


class Loader:
    """Batches that can be drawn again and again."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        self.begun = 0

    def __iter__(self) -> Iterator[Any]:
        self.begun += 1
        yield from self.batches


def test_batches_again() -> None:
    for kind in ([0, 1, 2], Loader([0, 1, 2])):
        source = Batches(kind, REFUSE)
        again, skipped = source.again(), source.again(4)
        for batches, wanted in ((again, [0, 1, 2, 0]), (skipped, [1, 2, 0, 1])):
            assert list(itertools.islice(batches, 4)) == wanted
        assert list(itertools.islice(source, 4)) == [0, 1, 2, 0]
    assert list(Batches(iter([0, 1, 2]), REFUSE).again(5)) == [1, 2]


@STEPWISE_AND_COMPILED
@pytest.mark.parametrize("number", [3, 20, 27, 100])
def test_a_list_a_loader_and_a_function_give_the_same_batches(number: int, compiled: bool) -> None:
    """Also where trainings need more of them than the first rates did: 25."""
    batches = (BATCHES * 4)[:number]
    test = run(batches, compiled=compiled, **REFINED)
    alone = lambda *its, **options: run(*its, divergence=None, **options)  # noqa: E731
    check_parts(test, alone, batches, rtol=1e-4 * compiled)
    for kind in (Loader(batches), lambda repeat: tuple(batches[repeat:])):
        check_alike(run(kind, compiled=compiled, **REFINED), test)


def test_batches_of_another_shape_are_left_out_of_later_stacks() -> None:
    batches = [*BATCHES, *[tuple(part[:5] for part in BATCHES[0])] * 2]
    third = [*BATCHES[20:], *BATCHES[20:22]]
    found = [each for each in trainings(run(batches, compiled=True, **REFINED)) if each[1] == 2]
    for rate, _, losses in found:
        constant = {"schedule": lrsched.constant(rate), "steps": 10, "divergence": None}
        np.testing.assert_array_equal(losses, run(third, compiled=True, **constant).losses)
    assert found


def without_stop(**options: Any) -> dict[str, Any]:
    """Options of a test in which no update is dropped, so that the batches can be counted."""
    ramp = lrsched.exponential_ramp(1e-3, 0.5, 29)
    usual: dict[str, Any] = {"schedule": ramp, "steps": 30, "refine": True, "probe_repeats": 1}
    return usual | {"probe_steps": 10, "max_steps": 70, "divergence": None} | options


def numbered() -> Iterator[Any]:
    generator = np.random.default_rng(1)
    for x in generator.normal(size=(200, 64, 8)).astype(np.float32):
        yield x, (x @ np.ones((8, 3))).astype(np.float32)


def test_of_an_iterator_further_batches_are_drawn() -> None:
    stream, batches = numbered(), list(numbered())
    test = run(stream, **without_stop())
    used = set()
    for rate, _, losses in trainings(test):
        constant = {"schedule": lrsched.constant(rate), "steps": 10, "divergence": None}
        curves = [run(batches[first : first + 10], **constant).losses for first in range(0, 70, 10)]
        (first,) = (n for n, curve in enumerate(curves) if np.array_equal(curve, losses))
        used.add(first)
    assert used == {3, 4, 5, 6}
    assert np.array_equal(next(stream)[0], batches[70][0])


def test_of_an_iterator_a_compiled_test_uses_the_first_batches_again() -> None:
    stream, batches = numbered(), list(numbered())
    test = run(stream, compiled=True, **without_stop(probe_repeats=4, max_steps=200))
    assert np.array_equal(next(stream)[0], batches[30][0])
    check_alike(
        test, run(batches[:30], compiled=True, **without_stop(probe_repeats=4, max_steps=200))
    )


@STEPWISE_AND_COMPILED
@pytest.mark.parametrize("number", [1, 20, 29])
def test_an_iterator_that_runs_out_in_the_ramp_ends_the_test(number: int, compiled: bool) -> None:
    test = run(itertools.islice(numbered(), number), compiled=compiled, **without_stop())
    assert (test.stopped, len(test.losses), test.probe) == ("exhausted", number, None)
    options = without_stop(probe_repeats=1, steps=number, max_steps=number)
    whole = run(list(itertools.islice(numbered(), number)), **options)
    np.testing.assert_allclose(test.losses, whole.losses, rtol=1e-6)


@pytest.mark.parametrize(("number", "made"), [(30, 0), (39, 0), (40, 1), (55, 2), (70, 4)])
def test_an_iterator_that_runs_out_in_a_training_ends_the_trainings(number: int, made: int) -> None:
    test = run(itertools.islice(numbered(), number), **without_stop())
    assert (test.stopped, len(test.losses)) == ("finished", 30)
    assert len(list(trainings(test))) == made
    assert (test.probe is None) == (made == 0)


@pytest.mark.parametrize("more", [0, 5, 50])
def test_an_iterator_that_runs_out_at_further_rates(more: int) -> None:
    """These are used if a rate can be read from them."""
    batches = BATCHES * 10
    test = run(iter(batches[: 100 + more]), **HIGHER)
    whole = run(**HIGHER)
    *_, first = ramps(whole)
    if more < 50:
        assert test.earlier is None
        np.testing.assert_array_equal(test.losses, first.losses)
    else:
        assert test.earlier is not None
        assert (test.stopped, len(test.losses)) == ("exhausted", more)
        np.testing.assert_array_equal(test.earlier.losses, first.losses)
    assert test.probe is None


class Exhausting:
    """No iterator itself, but its batches can be drawn once only."""

    def __init__(self, batches: list[Any]) -> None:
        self.iterator: Iterator[Any] = iter(batches)

    def __iter__(self) -> Iterator[Any]:
        return self.iterator


@STEPWISE_AND_COMPILED
@pytest.mark.parametrize("number", [20, 30, 35])
def test_a_loader_that_is_empty_when_it_is_restarted(number: int, compiled: bool) -> None:
    given = Exhausting(list(numbered())[:number])
    test = run(given, compiled=compiled, **without_stop(probe_repeats=4, max_steps=200))
    assert test.stopped == ("exhausted" if number < 30 else "finished")
    assert len(test.losses) == min(number, 30)
    assert (test.probe is not None) == (compiled and number >= 30)  # which are stacked

"""A JAX range test goes on from where it began, with all that it was given, in every way to run."""

import itertools
from collections.abc import Iterator
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrsched
from lrsched.range_test import NoSuggestion, Recorder
from lrsched.range_test.reading.recorder import threshold
from lrsched_jax._cache import training_of
from lrsched_jax._model import Loss
from lrsched_jax._range_test import REFUSE
from tests.jax.squares import (
    BATCHES,
    HIGHER,
    LOWER,
    REFINED,
    STEPWISE_AND_COMPILED,
    check_alike,
    check_parts,
    loss_fn,
    ramps,
    run,
    trainings,
)

SET_UPS = {"higher": HIGHER, "lower": LOWER, "refined": REFINED, "default": {"steps": 200}}


@pytest.mark.parametrize("name", SET_UPS)
def test_both_ways_to_run_make_the_same_ramps_and_trainings(name: str) -> None:
    test, compiled = (run(**SET_UPS[name], compiled=value) for value in (False, True))
    check_alike(compiled, test)
    check_parts(test, lambda batches, **options: run(batches, divergence=None, **options))
    rates = [(ramp.learning_rates[0], ramp.learning_rates[-1]) for ramp in ramps(test)]
    (low, high), *before = rates
    if name == "higher":
        assert low == np.float32(0.3 / 1000)
        assert high > before[0][1] == np.float32(0.3)
    elif name == "lower":
        assert low == np.float32(2.5 / 10000)
        assert before[0][0] == np.float32(2.5)
    elif name == "refined":
        assert {repeat for _, repeat, _ in trainings(test)} == {0, 1, 2}
        above = threshold(test.first_losses, 4.0)
        for _, _, losses in trainings(test):
            recorder = Recorder(None, 10, above)
            goes_on = [recorder.record(loss) for loss in losses.tolist()]
            assert all(goes_on[:-1])
            assert len(losses) == 10 or not goes_on[-1]
        assert any(len(losses) < 10 for *_, losses in trainings(test))  # one diverged
    else:
        assert not before
    assert 0.1 < test.suggest().suggested < 1.0


def test_the_loop_and_the_update_are_compiled_once() -> None:
    traces = 0

    def counted(weight: Any, batch: Any) -> Any:
        nonlocal traces
        traces += 1
        return loss_fn(weight, batch)

    for set_up in (HIGHER, REFINED | {"steps": 100, "max_steps": 400}):
        for value in (False, True):
            assert run(loss_fn=counted, compiled=value, **set_up).probe is not None
    training = training_of(Loss(counted, None, False, False, False, REFUSE), optax.sgd)
    assert traces == 1
    compiled: list[Any] = [training.update, *training.loops.values()]
    assert [function._cache_size() for function in compiled] == [1, 1]


def order(repeat: int) -> Any:
    return BATCHES[repeat:] + BATCHES[:repeat]


@pytest.mark.parametrize("repeats", [1, 2])
def test_repeats_go_on_in_every_way(repeats: int) -> None:
    """From the start of the first."""
    options: dict[str, Any] = {"repeats": repeats, **HIGHER}
    loop = run(order, **options)
    assert loop.repeats == 1
    assert loop.earlier is not None
    assert loop.earlier.repeats == repeats
    check_alike(run(order, compiled=True, vmap=False, **options), loop)
    check_alike(run(order, compiled=True, vmap=True, **options), loop)
    if repeats == 1:
        check_alike(run(**options), loop)


@STEPWISE_AND_COMPILED
def test_metrics_are_those_of_the_last_ramp(compiled: bool) -> None:
    def loss_and_size(weight: Any, batch: Any) -> Any:
        return loss_fn(weight, batch), {"size": jnp.sum(weight**2)}

    def measured(weight: Any) -> dict[str, Any]:
        calls.append(weight)
        return {"all": jnp.sum(weight**2)}

    calls: list[Any] = []
    options: dict[str, Any] = {} if compiled else {"metrics": measured}
    test = run(loss_fn=loss_and_size, has_aux=True, compiled=compiled, **HIGHER, **options)
    assert test.earlier is not None
    assert test.probe is not None
    for ramp in ramps(test):
        size = ramp.metrics["size"]
        assert size[:, 0].tolist() == list(range(len(ramp.losses)))
        assert size[0, 1] == 0.0 < size[-1, 1]
        if not compiled:
            np.testing.assert_allclose(ramp.metrics["all"], size[::10], rtol=1e-6)
    assert len({len(ramp.losses) for ramp in ramps(test)}) == 2
    kept = sum(len(ramp.metrics.get("all", [])) for ramp in ramps(test))
    assert kept <= len(calls) <= kept + 1  # which was made before the stop was known


@given(st.sampled_from([1, 12, 40]), st.integers(0, 150), st.booleans(), st.booleans())
@settings(max_examples=25, derandomize=True)
def test_it_makes_no_more_updates_than_it_may(
    steps: int, more: int, refine: bool, compiled: bool
) -> None:
    drawn = 0

    def generator() -> Iterator[Any]:
        nonlocal drawn
        for drawn in itertools.count(1):
            yield BATCHES[drawn % len(BATCHES)]

    options: dict[str, Any] = {"steps": steps, "max_steps": steps + more, "refine": refine}
    options |= {"probe_steps": 10} if refine else {}
    test = run(generator(), compiled=compiled, look_every=1, **options)
    assert drawn <= steps + more
    made = sum(len(ramp.losses) for ramp in ramps(test))
    made += 0 if test.probe is None else test.probe.updates
    assert steps <= made <= steps + more or test.stopped == "diverged"
    assert more or made == steps


@STEPWISE_AND_COMPILED
@pytest.mark.parametrize(("steps", "scale"), [(1, 1.0), (9, 1.0), (60, np.nan)])
def test_a_test_of_few_losses_does_not_go_on(steps: int, scale: float, compiled: bool) -> None:
    scaled = [(inputs, np.float32(scale) * labels) for inputs, labels in BATCHES]
    test = run(scaled, steps=steps, refine=True, compiled=compiled)
    with pytest.raises(NoSuggestion, match="updates have a finite loss") as refusal:
        test.suggest()
    assert refusal.value.cause == "few"
    assert (test.earlier, test.probe) == (None, None)


def test_a_schedule_of_ones_own_is_not_gone_beyond() -> None:
    ramp = lrsched.exponential_ramp(1e-7, 0.3, 99)
    test = run(schedule=ramp, steps=100)
    assert test.suggest().warning
    assert (test.earlier, test.probe) == (None, None)
    more = run(schedule=ramp, steps=100, max_steps=250)
    assert more.earlier is None
    assert more.probe is not None

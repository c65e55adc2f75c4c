"""The JAX range test: rates, losses, stops and batches, stepwise and compiled."""

import functools
import io
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lrsched
from lrsched.range_test import RangeTest, Recorder
from lrsched_jax import range_test
from lrsched_jax._cache import training_of
from lrsched_jax._model import Fixed, Loss
from lrsched_jax._range_test import REFUSE
from tests.backends import jax_x64

RANDOM = np.random.default_rng(0)
TEACHER = RANDOM.normal(size=(8, 3))
BATCHES = [
    (inputs.astype(np.float32), (inputs @ TEACHER).argmax(1))
    for inputs in RANDOM.normal(size=(7, 16, 8))
]
PARAMS = {
    "hidden": (RANDOM.normal(size=(8, 12)) / 3).astype(np.float32),
    "bias": np.zeros(12, np.float32),
    "out": (RANDOM.normal(size=(12, 3)) / 3).astype(np.float32),
}
STEPS = 60
RAMP = lrsched.exponential_ramp(1e-4, 300.0, STEPS - 1)
MOMENTUM = functools.partial(optax.sgd, momentum=0.9)


def loss_fn(params: Any, batch: Any) -> Any:
    hidden = jnp.tanh(batch[0] @ params["hidden"] + params["bias"])
    logits = hidden @ params["out"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()


def run(params: Any = PARAMS, batches: Any = BATCHES, **options: Any) -> RangeTest:
    usual: dict[str, Any] = {
        "optimizer": MOMENTUM,
        "schedule": RAMP,
        "steps": STEPS,
        "progress": False,
    }
    return range_test(options.pop("loss_fn", loss_fn), params, batches, **(usual | options))


def by_hand(rates: Any, params: Any = PARAMS, batches: Any = BATCHES) -> list[float]:
    """Losses of a plain loop, with momentum written out."""
    calculate = jax.jit(jax.value_and_grad(loss_fn))
    trace, losses = jax.tree.map(np.zeros_like, params), []
    for count, rate in enumerate(np.asarray(rates, np.float32)):
        loss, gradient = calculate(params, batches[count % len(batches)])
        trace = jax.tree.map(lambda t, g: 0.9 * t + g, trace, gradient)
        params = jax.tree.map(lambda p, t, r=rate: p - r * t, params, trace)
        losses.append(float(loss))
    return losses


def follow(level: Any, batch: Any) -> Any:
    """A loss that is the batch, whatever was learnt."""
    return batch + 0 * level


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("steps", [1, 23])
def test_the_rates_recorded_are_those_used(compiled: bool, x64: bool, steps: int) -> None:
    used: list[float] = []

    def spied(schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        def watched(count: Any) -> Any:
            rate = schedule(count)
            jax.debug.callback(lambda rate: used.append(float(rate)), rate, ordered=True)
            return rate

        return optax.sgd(watched)

    with jax_x64(x64):
        ramp = lrsched.exponential_ramp(1e-7, 10.0, max(steps - 1, 1))
        options = {"optimizer": spied, "schedule": ramp, "steps": steps, "compiled": compiled}
        test = run(jnp.zeros(()), np.ones(3), loss_fn=follow, **options)
        jax.effects_barrier()  # type: ignore[no-untyped-call]
    rounded = float if x64 else np.float32
    assert test.learning_rates.tolist() == used == [float(rounded(ramp(n))) for n in range(steps)]
    assert used[0] == float(rounded(1e-7))
    assert steps == 1 or used[-1] == float(rounded(10.0))
    assert (test.stopped, test.schedule, test.label) == ("finished", ramp, "JAX")


@pytest.mark.parametrize("compiled", [False, True])
def test_the_losses_are_those_of_a_plain_loop(compiled: bool) -> None:
    test = run(compiled=compiled)
    wanted = by_hand(test.learning_rates)
    assert (test.stopped, len(test.losses)) == ("diverged", len(wanted))
    assert 40 < len(wanted) < STEPS
    calm = int(np.argmin(wanted))  # rounding grows past it
    np.testing.assert_allclose(test.losses[:calm], wanted[:calm], rtol=1e-4)
    assert test.suggest().suggested == pytest.approx(run().suggest().suggested)


def test_the_losses_are_those_of_torch() -> None:
    """The same network from the same weights, in a plain loop."""
    torch = needs("torch")
    weights = [torch.tensor(PARAMS[name], requires_grad=True) for name in PARAMS]
    optimizer = torch.optim.SGD(weights, lr=1.0, momentum=0.9)
    wanted = []
    test = run(divergence=None)
    for count, rate in enumerate(test.learning_rates):
        inputs, labels = map(torch.as_tensor, BATCHES[count % len(BATCHES)])
        hidden, bias, out = weights
        logits = torch.tanh(inputs @ hidden + bias) @ out
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        wanted.append(loss.item())
    calm = int(np.argmin(wanted))
    assert wanted[calm] < wanted[0] / 2
    np.testing.assert_allclose(test.losses[: calm + 1], wanted[: calm + 1], rtol=1e-4)


@pytest.mark.parametrize("optimizer", [MOMENTUM, optax.adamw, optax.adafactor])
def test_both_ways_to_run_give_the_same_bits(optimizer: Any) -> None:
    loop, compiled = (run(optimizer=optimizer, compiled=value) for value in (False, True))
    assert loop.stopped == compiled.stopped
    np.testing.assert_array_equal(loop.losses, compiled.losses)
    np.testing.assert_array_equal(loop.learning_rates, compiled.learning_rates)


numbers = st.floats(-4.0, 20.0, width=32, allow_subnormal=False)  # XLA has none
rare = st.sampled_from([math.nan, math.inf, -math.inf, 0.0])


LOSSES = 10  # that set the level


@given(
    st.lists(st.sampled_from([1.0, 1.5]) | rare, min_size=1, max_size=LOSSES),
    st.lists(numbers | rare, min_size=20, max_size=20),
    st.sampled_from([None, 4.0, 3.3]),
)
@example([1.0], [5.0, 2.0, 5.0, 5.0, *[1.0] * 16], 4.0)
@example([1.0], [2.0, 5.0, 5.0, *[1.0] * 17], 4.0)
@example([1.0], [5.0, 5.0, 1.0, 1.0, 1.0, 5.0, *[1.0] * 14], 4.0)
@example([1.0], [4.0] * 20, 4.0)
@example([0.5], [2.5] * 20, 4.0)
@example([1.5], [float(np.float32(1.5 * 3.3))] * 20, 3.3)
@settings(max_examples=40)
def test_it_stops_where_the_recorder_says(
    first: list[float], rest: list[float], divergence: float | None
) -> None:
    losses = np.concatenate([np.resize(first, LOSSES), rest]).astype(np.float32)
    recorder = Recorder(divergence, len(losses))
    all(recorder.record(float(loss)) for loss in losses)
    stepwise: list[dict[str, Any]] = [{"compiled": False, "look_every": n} for n in (1, 5, 99)]
    common: dict[str, Any] = {"loss_fn": follow, "steps": len(losses), "divergence": divergence}
    for options in ({"compiled": True}, *stepwise):
        test = run(jnp.zeros(()), losses, **common, **options)
        assert (test.losses.tolist(), test.stopped) == (recorder.losses, recorder.stopped)
        assert len(test.learning_rates) == len(test.losses)


def test_only_the_loss_decides_when_a_test_stops() -> None:
    """Neither a recorded number that is small at first, nor one that grows."""
    numbers = [1e-3] * 10 + [1e9] * 14
    batches = [(np.float32(1.0), np.float32(number)) for number in numbers]

    def measured(level: Any, batch: Any) -> Any:
        return follow(level, batch[0]), {"number": batch[1]}

    for compiled in (False, True):
        options = {"loss_fn": measured, "has_aux": True, "steps": 24, "compiled": compiled}
        test = run(jnp.zeros(()), batches, **options)
        assert (test.losses.tolist(), test.stopped) == ([1.0] * 24, "finished")


def test_the_first_loss_may_be_the_last() -> None:
    test = run(jnp.zeros(()), [np.float32(np.nan)], loss_fn=follow)
    assert (len(test.losses), test.stopped) == (0, "nonfinite")


@pytest.mark.parametrize("compiled", [False, True])
def test_nothing_that_is_passed_in_changes(compiled: bool) -> None:
    params, batches = jax.tree.map(jnp.array, (PARAMS, BATCHES))
    run(params, batches, compiled=compiled, refine=True)
    jax.tree.map(np.testing.assert_array_equal, (params, batches), (PARAMS, BATCHES))


def test_updates_use_buffers_again_but_none_of_the_users() -> None:
    mine = jax.tree.map(jnp.array, PARAMS)
    training = training_of(Loss(loss_fn, None, False, False, False, REFUSE), MOMENTUM)
    rates = np.full(4, 0.1, np.float32)
    carry, seen, update = training.begin(mine, None, rates, Fixed(), BATCHES[0])
    update(carry, seen, rates, Fixed(), BATCHES[0])
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(carry))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(mine))


def test_an_array_that_is_in_the_parameters_twice_is_two_parameters() -> None:
    shared = jnp.ones((8, 8))
    twice = {"a": shared, "b": shared}
    test = run(twice, loss_fn=lambda p, b: jnp.mean((b[0] @ p["a"] @ p["b"]) ** 2))
    assert test.losses[-1] > test.losses[0] > test.losses.min() > 0


def test_an_optimizer_that_keeps_the_parameters_in_its_state() -> None:
    kept = run(optimizer=lambda s: optax.contrib.schedule_free(optax.sgd(s), s))
    assert kept.losses.min() < kept.losses[0]


def test_a_python_number_among_the_parameters_compiles_once() -> None:
    traces = 0

    def square(params: Any, batch: Any) -> Any:
        nonlocal traces
        traces += 1
        return jnp.mean((params["a"] * batch[0]) ** 2)

    run({"a": 1.0}, loss_fn=square, compiled=False)
    assert traces == 1


def test_one_compilation_serves_every_schedule() -> None:
    traces = 0

    def counted(params: Any, batch: Any) -> Any:
        nonlocal traces
        traces += 1
        return loss_fn(params, batch)

    for compiled in (False, True):
        for schedule in (RAMP, lrsched.linear(1e-4, 1.0, 50), 0.5 * lrsched.one_cycle(1.0, 60)):
            # A partial made anew is the same optimizer.
            optimizer = functools.partial(optax.sgd, momentum=0.9)
            test = run(loss_fn=counted, schedule=schedule, optimizer=optimizer, compiled=compiled)
            assert test.schedule == schedule
    run(loss_fn=counted, compiled=True, refine=True)
    run(loss_fn=counted, compiled=False, repeats=2, batches=lambda repeat: BATCHES[repeat:])
    assert traces == 1


def test_batches_begin_anew_and_an_iterator_ends_the_test() -> None:
    whole = run(divergence=None)
    assert run(batches=tuple(BATCHES), compiled=False, divergence=None).stopped == "finished"
    short = run(batches=iter(BATCHES))
    assert (short.stopped, len(short.losses)) == ("exhausted", len(BATCHES))
    np.testing.assert_array_equal(short.losses, whole.losses[: len(BATCHES)])
    compiled = run(batches=iter(BATCHES), compiled=True)
    assert compiled.stopped == "exhausted"
    np.testing.assert_array_equal(compiled.losses, short.losses)


def test_no_more_batches_are_taken_than_needed() -> None:
    taken = 0

    def generator() -> Iterator[Any]:
        nonlocal taken
        while True:
            taken += 1
            yield BATCHES[taken % 7]

    assert len(run(batches=generator(), divergence=None).losses) == taken == STEPS
    taken = 0
    test = run(jnp.zeros(()), generator(), loss_fn=lambda p, b: p / 0, look_every=5)
    assert test.stopped == "nonfinite"
    assert taken <= 5


@pytest.mark.parametrize("compiled", [False, True])
def test_a_loader_may_fill_one_array_again_and_again(compiled: bool) -> None:
    buffer = np.empty_like(BATCHES[0][0])

    def loader() -> Iterator[Any]:
        for inputs, labels in BATCHES:
            buffer[...] = inputs
            yield buffer, labels

    test = run(batches=loader(), compiled=compiled)
    np.testing.assert_array_equal(test.losses, run(batches=iter(BATCHES)).losses)


def test_batches_of_unequal_shapes() -> None:
    ragged = [*BATCHES, tuple(part[:5] for part in BATCHES[0])]
    test = run(batches=ragged)
    wanted = by_hand(test.learning_rates[:20], batches=ragged)
    np.testing.assert_allclose(test.losses[:20], wanted, rtol=1e-5)
    with pytest.raises(
        ValueError, match=r"^range_test: batch 7 must be of equal shapes with compiled"
    ):
        run(batches=ragged, compiled=True)


def test_jax_arrays_and_stacked_arrays_are_batches() -> None:
    arrays = [jax.tree.map(jnp.asarray, batch) for batch in BATCHES]
    for compiled in (False, True):
        np.testing.assert_array_equal(run().losses, run(batches=arrays, compiled=compiled).losses)
    losses = jnp.linspace(1.0, 0.0, 9)
    test = run(jnp.zeros(()), losses, loss_fn=follow, steps=9)
    np.testing.assert_array_equal(test.losses, losses)


def test_losses_of_half_precision_are_recorded_as_floats() -> None:
    half = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), PARAMS)
    data = [(jnp.asarray(x, jnp.bfloat16), y) for x, y in BATCHES]
    loop, compiled = (run(half, data, compiled=value) for value in (False, True))
    assert loop.losses.dtype == np.float64
    np.testing.assert_array_equal(loop.losses, compiled.losses)
    np.testing.assert_array_equal(loop.losses, np.asarray(loop.losses, jnp.bfloat16))
    np.testing.assert_allclose(loop.losses[0], run().losses[0], rtol=2**-7)


def test_in_double_precision() -> None:
    with jax_x64():
        test = run(jax.tree.map(lambda leaf: leaf.astype(float), PARAMS), look_every=7)
    single = run()
    calm = int(np.argmin(single.losses))
    np.testing.assert_allclose(test.losses[:calm], single.losses[:calm], rtol=1e-4)
    assert np.any(test.losses != test.losses.astype(np.float32))


class Terminal(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


def test_a_progress_bar_and_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bar in a terminal, where it is wanted, and nothing in a pipe."""
    needs("tqdm")
    for progress, stream, shown in (
        (False, Terminal(), False),
        (True, io.StringIO(), False),
        (True, Terminal(), True),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        run(compiled=False, progress=progress, label="mine")
        assert ("mine range test" in stream.getvalue()) == bool(stream.getvalue()) == shown
        assert not shown or stream.getvalue().endswith("\r")  # nothing is left of it


def test_an_error_in_the_loss_comes_through() -> None:
    def wrong(params: Any, batch: Any) -> Any:
        raise RuntimeError("of the user")

    with pytest.raises(RuntimeError, match="of the user"):
        run(loss_fn=wrong)


def test_the_default_is_a_loop_over_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["lrsched_jax._range_test"]
    called = []
    for name in ("run_stepwise", "run_compiled"):
        original = getattr(module, name)

        def noted(*arguments: Any, name: str = name, original: Any = original) -> Any:
            called.append(name)
            return original(*arguments)

        monkeypatch.setattr(module, name, noted)
    run()
    run(compiled=True)
    assert called == ["run_stepwise", "run_compiled"]

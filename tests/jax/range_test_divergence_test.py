"""The rule by which a compiled range test stops on the device, beside the recorder's."""

import functools
import math
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrsched.range_test import Recorder
from lrsched.range_test.reading.recorder import first_losses, window
from lrsched_jax._divergence import LOOK_EVERY, divergence_of, goes_on
from tests.backends import jax_x64

# With 10, 12 and 55 first losses, and windows of 5 and 23.
WIDTHS = (6, 20, 30, 249, 1100)

EIGHTHS = st.integers(-40, 200).map(lambda n: n / 8)  # apart by much more than rounding
RARE = st.sampled_from([math.nan, math.inf, -math.inf])
ANY = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)
MULTIPLES = st.sampled_from([1.125, 2.0, 4.0])


def pieces(value: Any) -> Any:
    """Losses that stay for a while, or change in every update."""
    return st.lists(st.tuples(value, st.sampled_from([1, 1, 2, 3, 7, 30])), min_size=1)


@functools.cache
def looks(width: int) -> Any:
    """Whether a run goes on after each number of losses."""

    def look(losses: Any, count: Any, rule: Any) -> Any:
        made = jnp.where(jnp.arange(width) < count, losses, jnp.nan)
        return goes_on(made, count, rule)

    return jax.jit(jax.vmap(look, in_axes=(None, 0, None)))


def updates_of_the_device(losses: Any, width: int, steps: int, rule: Any) -> int:
    """How many of `steps` updates a loop makes that looks as the compiled one does."""
    counts = np.arange(0, width + 1, math.gcd(width, LOOK_EVERY))
    going = np.asarray(looks(width)(losses, counts, rule))
    return min(int(counts[(~going).argmax()]) if not going.all() else steps, steps)


def updates_of_the_recorder(losses: Any, recorder: Recorder) -> int:
    """How many updates there are until the recorder stops."""
    for count, loss in enumerate(losses.tolist(), 1):
        if not recorder.record(loss):
            return count
    return len(losses)


def drawn(runs: list[tuple[float, int]], steps: int) -> Any:
    """The losses of these pieces, again and again."""
    values = np.repeat([value for value, _ in runs], [number for _, number in runs])
    return np.resize(values.astype(np.float32), steps)


def updates(
    losses: Any, width: int, steps: int, multiple: float | None, above: float | None
) -> tuple[int, int]:
    """The updates that the device makes, and those of the recorder."""
    rule = divergence_of(multiple, steps, above)
    device = updates_of_the_device(np.resize(losses, width), width, steps, rule)
    return device, updates_of_the_recorder(losses[:steps], Recorder(multiple, steps, above))


@given(
    pieces(EIGHTHS | RARE),
    st.sampled_from(WIDTHS),
    st.floats(0.0, 1.0),
    st.none() | MULTIPLES,
    st.none() | EIGHTHS,
    st.integers(-100, 100),
)
@example([(1.0, 30), (5.0, 3)], 1100, 1.0, 4.0, None, 0)
@example([(1.0, 10), (5.0, 3), (1.0, 17)], 30, 1.0, 4.0, None, 100)
@example([(-1.0, 10), (1.0, 30)], 249, 1.0, 2.0, None, 0)
@example([(16.0, 10), (25.0, 20)], 30, 1.0, 1.125, None, 123)  # sums are infinite
@example([(1.0, 10), *[(5.0, 1), (1.0, 3)] * 3], 30, 1.0, 4.0, None, 0)
@settings(max_examples=150, derandomize=True)
def test_the_device_stops_at_its_first_look_after_the_recorder(
    runs: list[tuple[float, int]],
    width: int,
    part: float,
    multiple: float | None,
    above: float | None,
    exponent: int,
) -> None:
    """For a run of part of the updates of which the loop was made; in units of any size."""
    steps = max(1, round(part * width))
    losses = drawn(runs, steps) * np.float32(2.0**exponent)
    above = None if above is None else above * 2.0**exponent
    multiple = None if above is not None else multiple
    device, recorder = updates(losses, width, steps, multiple, above)
    every = math.gcd(width, LOOK_EVERY)
    assert device == min(-(-recorder // every) * every, steps)


@given(
    pieces(ANY),
    st.sampled_from(WIDTHS),
    st.floats(1.0, 1e6, exclude_min=True),
    st.none() | st.floats(allow_nan=False),
)
@example([(-1.0, 10), (5e-8, 20)], 30, 2.0000001, None)
@example([(3e38, 10), (3.2e38, 20)], 30, 1.1, None)
@example([(1.0, 10), (1.0000001, 20)], 30, 1.0000002, None)
@settings(max_examples=150, derandomize=True)
def test_rounding_stops_no_run_before_the_recorder(
    runs: list[tuple[float, int]], width: int, multiple: float, above: float | None
) -> None:
    chosen = None if above is not None else multiple
    device, recorder = updates(drawn(runs, width), width, width, chosen, above)
    assert device >= recorder


def test_the_rule_has_all_sizes() -> None:
    sizes = {(first_losses(width), window(width)) for width in WIDTHS}
    assert sizes == {(10, 5), (12, 5), (55, 23)}


@pytest.mark.parametrize("losses", [[1.0] * 10 + [4.0 + 2**-22] * 10, [1.0] * 10 + [4.0] * 10])
def test_in_double_precision(losses: list[float]) -> None:
    """Losses that are above the bound by less than the rounding of float32 are not high there."""
    rule = divergence_of(4.0, len(losses))
    with jax_x64():
        going = jax.jit(goes_on)
        assert going(jnp.array(losses), len(losses), rule)
        higher = jnp.array([loss * (1 + 2.0**-18 * (loss > 1)) for loss in losses])
        assert not going(higher, len(losses), rule)

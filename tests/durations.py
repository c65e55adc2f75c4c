"""Hypothesis strategies for durations in other units, and ways to put them into schedules."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from lrsched import Duration, epochs, examples, run_fraction, tokens
from lrsched._core.definition import REGISTRY
from tests.strategies import BY_NAME, LAST

amounts = st.integers(0, 10**6) | st.floats(0, 1e6) | st.floats(0, 1)


single = st.sampled_from([run_fraction, epochs, examples, tokens]).flatmap(
    lambda maker: st.builds(maker, amounts)
)
whole = st.integers(-(10**6), 10**6)


durations = st.recursive(
    single,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner | whole),
        st.builds(lambda a, b: a - b, inner, inner | whole),
        st.builds(lambda a, b: a - b, whole, inner),
        st.builds(lambda a, b: a + b, whole, inner),
    ),
    max_leaves=5,
)


sizes = st.fixed_dictionaries(
    {
        "total_steps": st.integers(1, LAST),
        "steps_per_epoch": st.integers(1, 10**4) | st.floats(0.5, 1e4),
        "batch_size": st.integers(1, 10**4),
        "tokens_per_step": st.integers(1, 10**7),
    }
)


def _fraction_of_128(n: Any) -> Duration:
    """A fraction of a run of 128 steps, which is exact; a difference for a whole number."""
    return run_fraction(1) - 128 + n if type(n) is int else run_fraction(n / 128)


UNITS: list[tuple[Callable[[Any], Duration], Callable[[Any], Any]]] = [
    (lambda n: epochs(n) + 0, lambda s: s.resolve(steps_per_epoch=1)),
    (lambda n: epochs(n / 2), lambda s: s.resolve(steps_per_epoch=2.0)),
    (lambda n: examples(n * 8), lambda s: s.resolve(batch_size=8)),
    (lambda n: tokens(n * 2), lambda s: s.resolve(tokens_per_step=2)),
    (_fraction_of_128, lambda s: s.resolve(total_steps=128)),
]


TIMED = {
    name: [parameter for parameter, kind in REGISTRY[name].kinds.items() if kind.unit == "steps"]
    for name in BY_NAME
}


def in_units(value: Any, make: Callable[[Any], Duration]) -> Any:
    if isinstance(value, tuple):
        return tuple(make(item) if at % 2 == 0 else item for at, item in enumerate(value))
    return make(value)

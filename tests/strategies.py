"""Hypothesis strategies for every schedule of the registry, and for nested ones."""

from typing import Any

from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._core.definition import REGISTRY

LAST = 2**31 - 1

values = st.one_of(st.just(0.0), st.floats(1e-8, 1e4))
positives = st.floats(1e-12, 1e6)
rates = st.one_of(st.floats(0.01, 1.0), st.floats(0.0, 1e-9).map(lambda x: 1.0 - x))
durations = st.one_of(
    st.integers(1, 30), st.integers(1, 10**4), st.integers(1, LAST), st.just(LAST)
)
counts = st.one_of(st.integers(0, 100), st.integers(0, LAST), st.just(LAST))
shapes = st.sampled_from(["linear", "cosine", "1-sqrt", "square", "exponential", "lowered-linear"])
fractions = st.floats(0.01, 0.5)


_sizes = st.integers(0, 4)


def ascending(least: int, sizes: Any = _sizes, repeats: bool = False) -> Any:
    """Boundaries: ascending integers of at least `least`."""
    steps = st.one_of(st.integers(least, 60), st.integers(least, LAST))
    return sizes.flatmap(
        lambda size: st.lists(steps, min_size=size, max_size=size, unique=not repeats)
    ).map(lambda found: tuple(sorted(found)))


@st.composite
def _piecewise_constant(draw: Any) -> Schedule:
    boundaries = draw(ascending(1))
    number = len(boundaries) + 1
    return lrsched.piecewise_constant(
        draw(st.lists(values, min_size=number, max_size=number)), boundaries
    )


@st.composite
def _cyclic(draw: Any) -> Schedule:
    mode = draw(st.sampled_from(["triangular", "triangular2", "exp_range"]))
    up = draw(durations)
    return lrsched.cyclic(
        draw(values),
        draw(values),
        up,
        draw(st.one_of(st.none() if up <= LAST // 2 else st.nothing(), st.integers(0, LAST - up))),
        mode,
        draw(rates) if mode == "exp_range" else 1.0,
        draw(st.sampled_from(["linear", "cosine"])),
    )


@st.composite
def _join(draw: Any, inner: Any) -> Schedule:
    boundaries = draw(ascending(1))
    number = len(boundaries) + 1
    return lrsched.join(draw(st.lists(inner, min_size=number, max_size=number)), boundaries)


SIMPLE: dict[str, st.SearchStrategy[Schedule]] = {
    "constant": st.builds(lrsched.constant, values),
    "linear": st.builds(lrsched.linear, values, values, durations),
    "polynomial": st.builds(
        lrsched.polynomial,
        values,
        values,
        durations,
        st.floats(0.1, 20.0) | st.just(2.0),
        st.booleans(),
    ),
    "exponential_ramp": st.builds(lrsched.exponential_ramp, positives, positives, durations),
    "exponential_decay": st.builds(
        lrsched.exponential_decay, values, rates, durations, st.booleans()
    ),
    "step_decay": st.builds(lrsched.step_decay, values, rates, durations),
    "multi_step_decay": st.builds(
        lrsched.multi_step_decay, values, rates, ascending(0, repeats=True)
    ),
    "piecewise_constant": _piecewise_constant(),
    "cosine_decay": st.builds(lrsched.cosine_decay, values, durations, values),
    "cosine_restarts": st.builds(
        lrsched.cosine_restarts,
        values,
        durations,
        st.sampled_from([1, 2, 3, 10, 2**20]),
        values,
        rates,
    ),
    "cyclic": _cyclic(),
    "one_cycle": st.builds(
        lrsched.one_cycle,
        values,
        st.integers(2, 50) | st.integers(2, LAST),
        fractions,
        st.floats(1.0, 1e3),
        st.floats(1.0, 1e5),
        st.sampled_from(["cosine", "linear"]),
        st.booleans(),
    ),
    "anneal": st.builds(lrsched.anneal, values, values, durations, shapes),
    "rex": st.builds(lrsched.rex, values, durations, values, st.floats(0.01, 2.0)),
    "k_decay": st.builds(
        lrsched.k_decay,
        values,
        durations,
        st.floats(0.1, 10.0) | st.just(1.0),
        st.floats(0.1, 20.0) | st.just(1.0),
        values,
        st.sampled_from(["cosine", "linear"]),
    ),
    "tanh_decay": st.builds(
        lrsched.tanh_decay, values, durations, values, st.floats(-9, -1), st.floats(0, 6)
    ),
    "exponential_warmup": st.builds(
        lrsched.exponential_warmup, st.floats(0.1, 100.0) | st.floats(1.0, 1e9)
    ),
    "log_warmup": st.builds(lrsched.log_warmup, st.integers(2, 50) | st.integers(2, LAST)),
    "sigmoid_ramp_up": st.builds(lrsched.sigmoid_ramp_up, durations, st.floats(0.0, 30.0)),
    "inverse_sqrt": st.builds(
        lrsched.inverse_sqrt, values, durations, st.just(0) | durations, values
    ),
    "inverse_time": st.builds(
        lrsched.inverse_time, values, st.floats(0.0, 100.0), durations, st.booleans()
    ),
    "radam_warmup": st.builds(
        lrsched.radam_warmup, st.floats(0.9, 0.9999) | st.floats(1e-6, 1e-3).map(lambda x: 1 - x)
    ),
    "power_law": st.builds(
        lrsched.power_law,
        values,
        st.floats(1e-3, 1e6),
        st.floats(-2.0, 0.0) | st.just(-0.51),
        st.floats(1.0, 1e8),
    ),
    "fractal_chebyshev": st.builds(
        lrsched.fractal_chebyshev,
        st.floats(1.0, 1e6),
        st.floats(1e-12, 1.0),
        st.integers(0, 29).map(lambda n: 2**n),
    ),
    "natural_exponential_decay": st.builds(
        lrsched.natural_exponential_decay,
        values,
        st.floats(0.0, 10.0) | st.floats(0.0, 1e-8),
        durations,
        st.booleans(),
    ),
}
_simple = st.one_of(*SIMPLE.values())


def _combined(inner: st.SearchStrategy[Schedule]) -> dict[str, st.SearchStrategy[Schedule]]:
    return {
        "warmup": st.builds(lrsched.warmup, inner, st.just(0) | durations, values, shapes),
        "join": _join(inner),
        "scale": st.builds(lrsched.scale, inner, values),
        "product": st.builds(lrsched.product, inner, inner),
        "add": st.builds(lrsched.add, inner, inner),
        "minimum": st.builds(lrsched.minimum, inner, inner),
        "maximum": st.builds(lrsched.maximum, inner, inner),
        "clip": st.builds(lrsched.clip, inner, st.floats(0, 1), st.floats(1, 1e4)),
        "then_scale": st.builds(lrsched.then_scale, inner, st.just(0) | durations, inner),
        "noise": st.builds(
            lrsched.noise,
            inner,
            st.floats(0.0, 1.0) | st.just(1.0),
            st.integers(0, LAST),
            st.just(1) | durations,
            st.just(0) | durations,
            st.none() | st.just(0) | durations,
        ),
        "delay": st.builds(lrsched.delay, inner, st.just(0) | durations),
        "advance": st.builds(lrsched.advance, inner, st.just(0) | durations),
        "repeat": st.builds(lrsched.repeat, inner, durations),
        "reverse": st.builds(lrsched.reverse, inner, durations),
        "staircase": st.builds(lrsched.staircase, inner, durations),
        "cooldown": st.builds(
            lrsched.cooldown, inner, st.just(0) | durations, durations, values, shapes
        ),
    }


BY_NAME = SIMPLE | _combined(_simple)
NAMES = [name for name in REGISTRY if REGISTRY[name].body.__module__.startswith("lrsched.")]
schedules = st.recursive(_simple, lambda inner: st.one_of(*_combined(inner).values()), max_leaves=4)

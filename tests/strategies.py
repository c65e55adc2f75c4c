"""Hypothesis strategies for every schedule of the registry, and for nested ones."""

from typing import Any

from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from lrsched._core.definition import REGISTRY

LAST = 2**31 - 1

values = st.one_of(st.just(0.0), st.floats(1e-8, 1e4))
positives = st.floats(1e-12, 1e6)
rates = st.one_of(st.floats(0.01, 1.0), st.floats(0.0, 1e-9).map(lambda x: 1.0 - x))
whole_steps = st.one_of(
    st.integers(1, 30), st.integers(1, 10**4), st.integers(1, LAST), st.just(LAST)
)
real_steps = st.one_of(st.floats(1.0, 30.0), st.floats(1.0, 1e4), st.floats(1.0, LAST))
durations = whole_steps | whole_steps | real_steps
timescales = durations | st.floats(0.01, 1.0)
counts = st.one_of(st.integers(0, 100), st.integers(0, LAST), st.just(LAST))
shapes = st.sampled_from(
    ["linear", "cosine", "quarter-cosine", "1-sqrt", "1-square", "exponential", "lowered-linear"]
)
fractions = st.floats(0.01, 0.5)
few_steps = st.integers(1, 60) | st.integers(1, 10**6) | st.floats(1.0, 1e4)


_sizes = st.integers(0, 4)


def ascending(least: int, sizes: Any = _sizes, repeats: bool = False, whole: bool = False) -> Any:
    """Boundaries: ascending numbers of at least `least`."""
    steps: Any = st.one_of(st.integers(least, 60), st.integers(least, LAST))
    if not whole:
        steps = steps | st.floats(1.0, 60.0)
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
def _interpolate(draw: Any) -> Schedule:
    boundaries = draw(ascending(1, st.integers(1, 5)))
    number = len(boundaries) + 1
    shape = draw(st.sampled_from(["linear", "cosine", "exponential"]))
    points = st.lists(
        positives if shape == "exponential" else values, min_size=number, max_size=number
    )
    return lrsched.interpolate(draw(points), boundaries, shape)


@st.composite
def _cyclic(draw: Any) -> Schedule:
    mode = draw(st.sampled_from(["triangular", "triangular2", "exp_range"]))
    up = draw(durations)
    most = int(LAST - up)
    downs: Any = st.integers(0, most)
    if most >= 1:
        downs = downs | st.floats(1.0, most)
    return lrsched.cyclic(
        draw(values),
        draw(values),
        up,
        draw(st.one_of(st.none() if up <= LAST // 2 else st.nothing(), downs)),
        mode,
        draw(rates) if mode == "exp_range" else 1.0,
        draw(st.sampled_from(["linear", "cosine"])),
    )


@st.composite
def _warmup(draw: Any, inner: Any) -> Schedule:
    shape = draw(shapes)
    power = draw(st.just(1.0) | st.floats(0.1, 8.0)) if shape == "linear" else 1.0
    return lrsched.warmup(
        draw(inner),
        draw(st.just(0) | durations),
        draw(values),
        shape,
        power,
        draw(st.sampled_from([0, 1])),
        draw(st.sampled_from(["before", "before", "over", "into", "times"])),
    )


@st.composite
def _join(draw: Any, inner: Any) -> Schedule:
    boundaries = draw(ascending(1))
    number = len(boundaries) + 1
    return lrsched.join(draw(st.lists(inner, min_size=number, max_size=number)), boundaries)


@st.composite
def _time_warp(draw: Any, inner: Any) -> Schedule:
    boundaries = draw(ascending(1))
    sizes = st.integers(1, 4096) if draw(st.booleans()) else st.floats(0.01, 10.0)
    rates = draw(st.lists(sizes, min_size=len(boundaries) + 1, max_size=len(boundaries) + 1))
    unit = draw(st.sampled_from([1.0, 64.0, 1024.0, 100.0]))
    return lrsched.time_warp(draw(inner), rates, boundaries, unit)


@st.composite
def _switch(draw: Any, inner: Any) -> Schedule:
    first, second, step = draw(inner), draw(inner), draw(durations)
    continuous = draw(st.booleans()) and abs(second(step)) > 1e-6
    return lrsched.switch(first, second, step, continuous)


@st.composite
def _resume(draw: Any, inner: Any) -> Schedule:
    step = draw(st.just(0) | few_steps)
    if draw(st.booleans()):
        sizes = st.integers(1, 4096)
        return lrsched.resume(draw(inner), step, batch_size=(draw(sizes), draw(sizes)))
    longer = few_steps.map(lambda n: step + n)
    return lrsched.resume(draw(inner), step, total_steps=(draw(longer), draw(longer)))


@st.composite
def _rampup_batch_size(draw: Any) -> Schedule:
    begin, increment = draw(st.integers(1, 64)), draw(st.integers(1, 64))
    end = begin + increment * draw(st.integers(0, 20))
    return lrsched.rampup_batch_size(begin, increment, draw(st.integers(0, 3000)), end)


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
    )
    | st.builds(lrsched.exponential_decay, values, rates, timescales),
    "step_decay": st.builds(lrsched.step_decay, values, rates, durations),
    "multi_step_decay": st.builds(
        lrsched.multi_step_decay, values, rates, ascending(0, repeats=True)
    ),
    "piecewise_constant": _piecewise_constant(),
    "interpolate": _interpolate(),
    "cosine_decay": st.builds(lrsched.cosine_decay, values, durations, values),
    "cosine_restarts": st.builds(
        lrsched.cosine_restarts,
        values,
        durations,
        st.sampled_from([1, 1, 2, 3, 10, 2**20, 1.5, 1.01, 0.99, 0.5, 7.3, 1e6]),
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
    "reciprocal_decay": st.builds(lrsched.reciprocal_decay, positives, durations, positives),
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
    "log_warmup": st.builds(
        lrsched.log_warmup, st.integers(2, 50) | st.integers(2, LAST) | st.floats(2.0, LAST)
    ),
    "sigmoid_ramp_up": st.builds(lrsched.sigmoid_ramp_up, durations, st.floats(0.0, 30.0)),
    "inverse_sqrt": st.builds(
        lrsched.inverse_sqrt, values, timescales, st.just(0) | durations, values
    ),
    "inverse_power": st.builds(
        lrsched.inverse_power,
        values,
        timescales,
        st.floats(0.05, 4.0) | st.just(2.0),
        st.just(0) | durations,
        values,
    ),
    "eden_decay": st.builds(lrsched.eden_decay, values, timescales),
    "inverse_time": st.builds(
        lrsched.inverse_time, values, st.floats(0.0, 100.0), durations, st.booleans()
    )
    | st.builds(lrsched.inverse_time, values, st.floats(0.0, 100.0), timescales),
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
    )
    | st.builds(lrsched.natural_exponential_decay, values, st.floats(0.0, 10.0), timescales),
}

phases = st.just(0) | durations

RECIPES: dict[str, st.SearchStrategy[Schedule]] = {
    "warmup_cosine": st.builds(lrsched.warmup_cosine, values, durations, phases, values, values),
    "warmup_stable_decay": st.builds(
        lrsched.warmup_stable_decay, values, phases, phases, durations, values, values, shapes
    ),
    "deepseek": st.builds(
        lrsched.deepseek, values, st.integers(20, LAST) | st.floats(20.0, 1e6), st.integers(0, 15)
    ),
    "infinite": st.builds(
        lrsched.infinite,
        values,
        phases,
        few_steps,
        positives,
        st.just(0) | few_steps,
        durations,
        positives,
        values,
    ),
    "tri_stage": st.builds(
        lrsched.tri_stage, positives, phases, phases, durations, st.floats(0, 2), fractions
    ),
    "slanted_triangular": st.builds(
        lrsched.slanted_triangular, values, durations, fractions, st.floats(1.0, 100.0)
    ),
    "eden": st.builds(
        lrsched.eden, values, timescales, st.floats(0.1, 99), phases, st.floats(0, 1), few_steps
    ),
    "rampup_batch_size": _rampup_batch_size(),
    "noam": st.builds(lrsched.noam, st.integers(1, 10**5), whole_steps, st.floats(1e-3, 1e3)),
    "untuned_linear_warmup": st.builds(
        lrsched.untuned_linear_warmup, st.floats(0.0, 0.9999) | st.sampled_from([0.5, 0.99, 0.999])
    ),
    "with_restarts": st.builds(
        lrsched.with_restarts,
        st.builds(lrsched.cosine_decay, values, few_steps),
        few_steps,
        st.integers(1, 4),
        st.sampled_from([1.0, 2.0, 1.5]),
        fractions,
        st.just(0) | few_steps,
        values,
    ),
}
SIMPLE |= RECIPES
_simple = st.one_of(*SIMPLE.values())


def _combined(inner: st.SearchStrategy[Schedule]) -> dict[str, st.SearchStrategy[Schedule]]:
    return {
        "warmup": _warmup(inner),
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
        "time_warp": _time_warp(inner),
        "switch": _switch(inner),
        "resume": _resume(inner),
        "scale_for_batch_size": st.builds(
            lrsched.scale_for_batch_size,
            inner,
            st.integers(1, 10**4),
            st.integers(1, 10**4),
            st.sampled_from(["linear", "sqrt"]),
        ),
        "cooldown": st.builds(
            lrsched.cooldown, inner, st.just(0) | durations, durations, values, shapes
        ),
    }


BY_NAME = SIMPLE | _combined(_simple)
NAMES = [name for name in REGISTRY if REGISTRY[name].body.__module__.startswith("lrsched.")]
schedules = st.recursive(_simple, lambda inner: st.one_of(*_combined(inner).values()), max_leaves=4)


def drawn(strategy: st.SearchStrategy[Schedule], number: int) -> list[Schedule]:
    """At most that many schedules of a strategy, the same each time."""
    found: list[Schedule] = []

    @seed(0)
    @settings(max_examples=number, database=None, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def collect(schedule: Schedule) -> None:
        found.append(schedule)

    collect()
    return found

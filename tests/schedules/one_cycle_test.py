"""`one_cycle`, beside torch's OneCycleLR, and where optax's onecycle schedules differ."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule
from tests.curves import values
from tests.optional import needs
from tests.stepping import check, close, resumed, sgd, stepped

MAX_COUNT = 2**31 - 1
thorough = settings(max_examples=500, deadline=None)
rates = st.floats(-6.0, 1.0).map(lambda exponent: 10.0**exponent)


def phases(three: bool, latest_peak: float) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "pct_start": st.floats(0.0, latest_peak),
            "three_phase": st.just(three),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "div_factor": st.floats(0.1, 1e3),
            "final_div_factor": st.floats(0.1, 1e6),
        }
    )


one_cycles = phases(False, 1.0) | phases(True, 0.5)


def one_cycle(peak: float, total_steps: int, options: dict[str, Any]) -> Schedule:
    """The counterpart of a OneCycleLR."""
    assume(options["pct_start"] * total_steps != 1.0)  # where torch divides by zero
    return lrsched.one_cycle(
        peak,
        total_steps,
        up_fraction=options["pct_start"],
        div_factor=options["div_factor"],
        final_div_factor=options["final_div_factor"],
        anneal="linear" if options["anneal_strategy"] == "linear" else "cosine",
        three_phase=options["three_phase"],
    )


@thorough
@given(peak=rates, total_steps=st.integers(2, 150), options=one_cycles)
def test_one_cycle_lr(peak: float, total_steps: int, options: dict[str, Any]) -> None:
    lr_scheduler = needs("torch.optim.lr_scheduler")
    recipe = one_cycle(peak, total_steps, options)
    check(
        lambda o: lr_scheduler.OneCycleLR(o, peak, total_steps, **options),
        recipe,
        peak,
        total_steps,
    )


@thorough
@given(
    peak=rates,
    counts=st.tuples(st.integers(1, MAX_COUNT), st.integers(1, MAX_COUNT)),
    options=one_cycles,
)
def test_one_cycle_lr_at_late_counts(
    peak: float, counts: tuple[int, int], options: dict[str, Any]
) -> None:
    lr_scheduler = needs("torch.optim.lr_scheduler")
    count, total_steps = min(counts), max(counts)
    assume(count < total_steps)
    recipe = one_cycle(peak, total_steps, options)
    initial = peak / options["div_factor"]
    expected = resumed(
        lambda optimizer, last: lr_scheduler.OneCycleLR(
            optimizer, peak, total_steps, cycle_momentum=False, last_epoch=last, **options
        ),
        count,
        lr=initial,
        initial_lr=initial,
        max_lr=peak,
        min_lr=initial / options["final_div_factor"],
    )
    assert [recipe(count)] == close([expected], max(peak, initial))


@pytest.mark.parametrize(
    ("anneal", "beyond"), [("cos", 0.0495193679865), ("linear", -0.1428525714)]
)
def test_one_cycle_lr_extrapolates_at_total_steps(
    anneal: Literal["cos", "linear"], beyond: float
) -> None:
    """pytorch#91765: the step after the last update leaves the curve; ours holds its end."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lrs = stepped(lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, anneal_strategy=anneal), steps=11)
    assert lrs[9:] == pytest.approx([4e-6, beyond])
    recipe = lrsched.one_cycle(1.0, 10, anneal="cosine" if anneal == "cos" else "linear")
    assert [recipe(count) for count in (9, 10, 11)] == [4e-6, 4e-6, 4e-6]


@pytest.mark.parametrize(("total_steps", "fraction"), [(10, 0.1), (2, 0.5)])
def test_one_cycle_lr_cannot_start_at_its_peak(total_steps: int, fraction: float) -> None:
    """pytorch#180187: a way up of no steps divides by zero; ours is at the peak at count 0."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    with pytest.raises(ZeroDivisionError):
        lr_scheduler.OneCycleLR(sgd(1.0), 1.0, total_steps, pct_start=fraction)
    assert lrsched.one_cycle(1.0, total_steps, fraction)(0) == 1.0


def test_optax_one_cycle_breaks_on_arrays() -> None:
    """Two counts give one value twice, twelve raise."""
    jnp = needs("jax.numpy")
    optax = needs("optax")
    theirs = optax.cosine_onecycle_schedule(10, 1.0)
    np.testing.assert_allclose(theirs(jnp.arange(2)), 0.04, rtol=1e-6)
    assert float(theirs(1)) > 0.2
    with pytest.raises(TypeError, match="incompatible shapes"):
        theirs(jnp.arange(12))
    ours = lrsched.one_cycle(1.0, 10)
    np.testing.assert_allclose(ours(jnp.arange(12)), values(ours, range(12)), rtol=1e-6)


def test_optax_one_cycle_with_equal_boundaries_has_no_peak() -> None:
    """The boundaries are keys of a dict, and the later one replaces the peak."""
    optax = needs("optax")
    theirs = optax.cosine_onecycle_schedule(10, 1.0, pct_start=1.0)
    assert max(values(theirs, range(12))) == pytest.approx(0.04)
    ours = values(lrsched.one_cycle(1.0, 10, up_fraction=1.0), range(12))
    assert ours == sorted(ours)
    assert ours[9] == 1.0


def test_optax_one_cycle_ends_one_step_late() -> None:
    """At count N, when the last of N updates has been made with a rate 125 times the final one."""
    optax = needs("optax")
    theirs = optax.cosine_onecycle_schedule(100, 1.0)
    assert float(theirs(99)) == pytest.approx(125 * 4e-6, rel=0.02)
    assert float(theirs(100)) == pytest.approx(4e-6)
    assert lrsched.one_cycle(1.0, 100)(99) == pytest.approx(4e-6, rel=1e-12)


def test_optax_1403_short_one_cycles() -> None:
    """NaN from an empty phase, mended by its PR 1425; ours has a value for every length."""
    optax = needs("optax")
    for theirs in (optax.linear_onecycle_schedule, optax.cosine_onecycle_schedule):
        assert np.isfinite(values(theirs(2, 1.0), range(4))).all()
    for steps in range(2, 8):
        for fraction in (0.0, 0.1, 0.5, 1.0):
            ours = values(lrsched.one_cycle(1.0, steps, fraction), range(steps + 2))
            assert all(4e-6 * (1 - 1e-12) <= value <= 1.0 for value in ours)


def test_pytorch_one_cycle_lr_in_a_sequence_spoils_the_warmup() -> None:
    """It puts its own `initial_lr` into the groups, so the warmup goes to a 25th of the peak."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lrs = stepped(
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 5), lr_scheduler.OneCycleLR(o, 1.0, 20)], [5]
        ),
        11,
    )
    assert lrs[4] == pytest.approx(0.0328)
    recipe = lrsched.join([lrsched.linear(0.1, 1.0, 5), lrsched.one_cycle(1.0, 20)], [5])
    assert recipe(4) == pytest.approx(0.82, rel=1e-15)
    assert recipe(10) == pytest.approx(lrs[10], rel=1e-12)


def test_pytorch_one_cycle_lr_takes_only_python_numbers() -> None:
    """Neither NumPy's integers for a number of steps, nor 0 for a fraction."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    with pytest.raises(ValueError, match="Expected positive integer total_steps, but got 10"):
        lr_scheduler.OneCycleLR(sgd(), 1.0, np.int64(10))
    with pytest.raises(ValueError, match="Expected float between 0 and 1 pct_start, but got 0"):
        lr_scheduler.OneCycleLR(sgd(), 1.0, 10, pct_start=0)
    ours = lrsched.one_cycle(1.0, np.int64(10), up_fraction=0)
    assert ours == lrsched.one_cycle(1.0, 10, up_fraction=0.0)


def test_pytorch_one_cycle_lr_of_three_phases_may_not_come_down() -> None:
    """Two phases of 0.7 leave nothing for the third: it ends above half the peak."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lrs = stepped(
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, pct_start=0.7, three_phase=True), 10
    )
    assert lrs[-1] == pytest.approx(0.52)
    with pytest.raises(ValueError, match=r"up_fraction must be <= 0\.5 with three_phase"):
        lrsched.one_cycle(1.0, 10, up_fraction=0.7, three_phase=True)

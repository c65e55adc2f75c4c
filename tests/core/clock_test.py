"""`Schedule.resolve` where the batch size is a schedule: what it refuses, and one that is flat."""

from typing import Any

import pytest

import lrsched
from lrsched import Schedule, epochs, examples, run_fraction, tokens

SIZES = lrsched.rampup_batch_size(48, 24, 1000, 96)
RECIPE = lrsched.warmup(lrsched.cosine_decay(0.1, examples(5000), 0.01), examples(500))


@pytest.mark.parametrize(
    "schedule",
    [
        RECIPE,
        lrsched.step_decay(0.1, 0.5, examples(333.5)),
        lrsched.interpolate((0.0, 1.0, 0.3), (examples(777), examples(3000))),
        lrsched.resume(RECIPE, examples(2400), batch_size=(3, 7)),
        lrsched.eden(0.1, examples(900), 2.5, examples(200), 0.5, examples(1100)),
        lrsched.cosine_restarts(0.1, examples(700), 1.5),
        lrsched.tri_stage(0.1, examples(500), examples(1500), examples(900)),
    ],
)
def test_a_flat_schedule_of_sizes_is_a_number(schedule: Schedule) -> None:
    by_schedule = schedule.resolve(batch_size=lrsched.constant(48.0))
    by_number = schedule.resolve(batch_size=48)
    for count in range(200):
        assert by_schedule(count) == pytest.approx(by_number(count), rel=1e-12), count
    with_rates = schedule.resolve(batch_size=lrsched.piecewise_constant((48, 96), (10,)))
    assert with_rates(60) == pytest.approx(by_number(110), rel=1e-12)


@pytest.mark.parametrize(
    "schedule",
    [
        lrsched.warmup(lrsched.constant(0.1), examples(500), count_from=1),
        lrsched.cosine_decay(0.1, examples(500)) * lrsched.exponential_warmup(examples(100)),
        lrsched.log_warmup(examples(500)),
        0.1 * lrsched.radam_warmup(),
        0.1 * lrsched.untuned_linear_warmup(),
        lrsched.power_law(0.1, 4.0),
        lrsched.one_cycle(0.1, examples(5000)),
        lrsched.fractal_chebyshev(20.0, 1.0, examples(64)),
        lrsched.noam(512, examples(4000)),
        lrsched.deepseek(0.1, examples(5000), examples(100)),
        lrsched.slanted_triangular(0.1, examples(5000)),
        lrsched.cosine_restarts(0.1, examples(700), 0.7),
        lrsched.resume(RECIPE, examples(480), total_steps=(100, 200)),
    ],
)
def test_a_formula_that_counts_steps_is_refused(schedule: Schedule) -> None:
    text = r"resolve: batch_size must be a number of examples, as the formula of \w+ counts steps"
    with pytest.raises(ValueError, match=text) as refused:
        schedule.resolve(batch_size=SIZES)
    assert str(refused.value).endswith(f"got {SIZES!r}")


cyclic: Any = lrsched.cyclic(32.0, 64.0, 10)
REFUSED: list[tuple[Schedule, dict[str, Any], str]] = [
    (RECIPE, {"batch_size": cyclic}, "batch_size must be a schedule that rests after its 10 steps"),
    (RECIPE, {"batch_size": lrsched.linear(9.0, 0.0, 9)}, "a schedule of numbers above 0, got lin"),
    (RECIPE, {"batch_size": lrsched.linear(9.0, 99.0, 10**8)}, "rests after 10000000 steps"),
    (
        RECIPE,
        {"batch_size": lrsched.piecewise_constant((1, 2), (epochs(1),))},
        "batch_size must be a schedule of plain numbers, in steps, or a piecewise_constant with",
    ),
    (
        RECIPE,
        {"batch_size": SIZES, "total_steps": 90},
        "total_steps must be left out where batch_size is a schedule, got 90",
    ),
    (
        RECIPE,
        {"batch_size": SIZES, "tokens_per_step": 2.0 * SIZES},
        "tokens_per_step must be left out where batch_size is a schedule, got scale(",
    ),
    (
        lrsched.warmup(RECIPE, 10),
        {"batch_size": SIZES},
        "warmup_steps must be in examples(...) and not rounded, as are all durations where "
        "batch_size is a schedule, got 10",
    ),
    (
        lrsched.warmup(RECIPE, examples(10, "up")),
        {"batch_size": SIZES},
        "warmup_steps must be in examples(...) and not rounded",
    ),
    (
        lrsched.warmup(RECIPE, run_fraction(0.1)),
        {"batch_size": SIZES},
        "warmup_steps must be in examples(...) and not rounded",
    ),
    (
        lrsched.linear(0.1, 0.0, tokens(100)),
        {"batch_size": SIZES},
        "steps must be in examples(...) and not rounded",
    ),
    (
        RECIPE,
        {"batch_size": [32, 64]},
        "batch_size must be a number >= 1e-18, or a schedule, got [32, 64]",
    ),
]


@pytest.mark.parametrize(("schedule", "sizes", "text"), REFUSED, ids=[row[2] for row in REFUSED])
def test_bad_input_is_refused(schedule: Schedule, sizes: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        schedule.resolve(**sizes)
    assert text in str(refused.value)

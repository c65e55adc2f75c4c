"""What the default rule reads off curves that are known, and what it refuses."""

import pickle

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.range_test.reading.curves import extend_past_stop, smoothed
from lrsched.range_test.reading.finders import FINDERS
from lrsched.range_test.reading.suggest import NoSuggestion, Suggestion, suggest
from lrsched.range_test.reading.valley import valley as valley_of

Array = npt.NDArray[np.float64]


def sweep(steps: int = 200, first: float = 1e-7, last: float = 10.0) -> Array:
    return np.geomspace(first, last, steps)


def valley(rates: Array, noise: float = 0.0, seed: int = 0) -> Array:
    """Falls from 2.2 around 1e-3 to 0.2 around 0.02, and is back at 0.3: quadratic from there."""
    drawn = np.random.default_rng(seed).normal(size=len(rates))
    return 0.2 + 2.0 / (1.0 + (1e3 * rates) ** 1.5) + (rates / 0.3) ** 2 + noise * drawn


def decades(one: float, other: float) -> float:
    return abs(float(np.log10(one / other)))


def test_the_three_rates_of_a_valley() -> None:
    low, suggested, high = suggest(sweep(), valley(sweep()))
    assert 1e-4 < low < 1e-3 < suggested < high
    lowest = sweep()[valley(sweep()).argmin()]
    assert lowest / 3 < high < lowest


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 9))
def test_neither_unit_nor_origin_of_the_loss_matters(unit: float, origin: float, seed: int) -> None:
    losses = valley(sweep(), 0.02, seed)
    expected = suggest(sweep(), losses)
    assert suggest(sweep(), unit * losses + origin) == pytest.approx(expected, rel=1e-6)


@given(st.floats(1e-3, 1e3))
def test_rates_in_another_unit_give_suggestions_in_it(unit: float) -> None:
    losses = valley(sweep(), 0.02)
    expected = [unit * rate for rate in suggest(sweep(), losses)]
    assert suggest(unit * sweep(), losses) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("steps", [60, 200, 400, 2000])
def test_the_rates_are_those_of_the_fall_times_the_root_of_the_density(steps: int) -> None:
    """A decade of 64 updates leaves them unchanged; none is above that of the lowest point."""
    rates, root = sweep(steps), ((steps - 1) / 8 / 64) ** 0.5
    fall = valley_of(rates, valley(rates))
    lowest = float(10.0 ** fall.log_rates[fall.lowest])
    expected = [min(lowest, root * rate) for rate in (fall.rate(0.1), fall.rate(0.9), lowest)]
    assert suggest(rates, valley(rates)) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [50, 100, 400, 800])
def test_smoothing_does_not_lag(steps: int) -> None:
    """The same curve, seen through more updates, is the same but for the root of their number."""
    reference = suggest(sweep(200), valley(sweep(200)))
    found = suggest(sweep(steps), valley(sweep(steps)))
    carried = (min(steps, 64 * 8) / 200) ** 0.5
    assert decades(found.suggested, carried * reference.suggested) < 0.15


def test_seeds_of_noise_agree() -> None:
    picks = [suggest(sweep(), valley(sweep(), 0.2, seed)).suggested for seed in range(20)]
    assert np.std(np.log10(picks)) < 0.15


def test_losses_of_zero() -> None:
    losses = np.maximum(0.0, valley(sweep(), 0.1) - 0.3)
    assert (losses == 0.0).any()
    expected = suggest(sweep(), valley(sweep()))
    assert decades(suggest(sweep(), losses).suggested, expected.suggested) < 0.3


def test_one_update_in_ten_that_explodes_changes_little() -> None:
    losses = valley(sweep(), 0.02)
    expected = suggest(sweep(), losses)
    losses[30:90:10] = 1e6
    assert decades(suggest(sweep(), losses).suggested, expected.suggested) < 0.1


@pytest.mark.parametrize("after", [0.0, 1.0, np.nan, np.inf, 1e30])
def test_what_follows_the_divergence_does_not_matter(after: float) -> None:
    """Neither the valley that weight decay makes there, nor losses of 0 between explosions."""
    losses = valley(sweep(), 0.02)
    expected = suggest(sweep(), losses)
    gone = sweep() > 2.0  # the loss is above 40
    losses[gone] = after
    found = suggest(sweep(), losses)
    assert max(map(decades, found, expected)) < 0.02


def test_explosions_between_losses_of_zero_are_a_divergence() -> None:
    losses = valley(sweep(), 0.02)
    expected = suggest(sweep(), losses)
    gone = np.flatnonzero(sweep() > 0.5)
    losses[gone] = np.where(gone % 3 == 0, 1e3, 0.0)
    assert decades(suggest(sweep(), losses).suggested, expected.suggested) < 0.1


def test_a_fall_that_ends_in_nan_has_ended() -> None:
    losses = np.where(sweep() < 0.03, valley(sweep(), 0.02), np.nan)
    found = suggest(sweep(), losses)
    assert found.high < 0.03
    assert not found.still_falls


def test_a_fall_that_still_goes_on_is_an_answer_with_a_warning() -> None:
    rates = sweep()[sweep() < 0.005]
    found = suggest(rates, valley(rates, 0.02))
    assert found.still_falls
    assert (
        found.warning == f"the loss still falls at the last rates, to {rates[-1]:.3g}: raise high"
    )
    assert found.low < found.suggested <= rates[-1]
    assert found.band[0] < found.suggested
    assert found.band[1] == pytest.approx(10.0 * rates[-1])
    assert not suggest(sweep(), valley(sweep())).still_falls


def test_the_band_is_wider_where_losses_vary_more() -> None:
    """It is where the best rate lies, and more than a factor of three is worth a warning."""
    widths, falls = [], 2.0
    for noise in (0.01, 0.1, 0.5):
        found = suggest(sweep(), valley(sweep(), noise * falls))
        low, high = found.band
        assert low * high == pytest.approx(found.suggested**2)
        assert bool(found.warning) == found.is_wide
        widths.append(high / low)
    assert widths == sorted(widths)
    assert widths[0] < widths[1] < widths[2]
    assert "times either way, as losses vary between updates: use more up" in found.warning


def test_the_band_is_wider_where_the_valley_is() -> None:
    rates = sweep()
    flat = 0.2 + 2.0 / (1.0 + (1e6 * rates) ** 1.5) + (rates / 3.0) ** 2  # five decades of it
    found = suggest(rates, flat + 1e-3 * np.random.default_rng(0).normal(size=len(rates)))
    assert found.is_wide
    assert "times either way, as the valley is wide: " in found.warning


def test_noise_that_hides_the_fall_leaves_a_guess_where_the_test_diverged() -> None:
    """1.8 decades below the last finite loss."""
    losses = 5.0 + 0.05 * valley(sweep(), 20.0)
    losses += 0.2 * np.exp(-((np.log10(sweep()) + 2.0) ** 2))
    with pytest.raises(NoSuggestion) as refused:
        suggest(sweep(), losses)
    assert refused.value.cause == "noise"
    for_others = suggest(sweep(), losses, "minimum")
    assert len(set(for_others)) == 1  # of other libraries there is only a rate
    losses[180:] = np.nan
    found = suggest(sweep(), losses)
    assert found.suggested == pytest.approx(sweep()[179] / 10**1.8)
    assert found.warning.startswith("the rate is a guess: the loss falls by ")
    assert found.is_wide
    with pytest.raises(NoSuggestion):
        suggest(sweep(), losses, "steepest")


def test_repeats_are_read_by_their_median() -> None:
    rows = np.array([valley(sweep(), 0.3, seed) for seed in range(5)])
    assert suggest(sweep(), rows) == suggest(sweep(), np.median(rows, axis=0))
    assert suggest(sweep(), rows[::-1]) == suggest(sweep(), rows)


def test_repeats_count_as_far_as_most_of_them_went() -> None:
    rows = np.array([valley(sweep(), 0.02, seed) for seed in range(3)])
    expected = suggest(sweep(), rows)
    rows[0, sweep() > 0.3] = np.nan
    assert decades(suggest(sweep(), rows).suggested, expected.suggested) < 0.05
    rows[:2, sweep() > 1e-3] = np.nan
    assert suggest(sweep(), rows).high < 1e-3


def test_a_cyclic_schedule_is_read_on_its_way_up() -> None:
    rates = np.concatenate([sweep(), sweep()[::-1]])
    losses = np.concatenate([valley(sweep()), np.zeros(200)])
    assert suggest(rates, losses) == suggest(sweep(), valley(sweep()))


def test_a_linear_sweep_can_be_read() -> None:
    rates = np.linspace(0.0, 1.0, 400)
    losses = 0.1 + 1.0 / (1.0 + (20.0 * rates) ** 2) + (rates / 0.6) ** 8
    low, suggested, high = suggest(rates, losses)
    assert 0.005 < low < 0.02 < suggested < high < 0.6


@pytest.mark.parametrize("method", FINDERS)
def test_the_rules_of_other_libraries(method: str) -> None:
    losses = valley(sweep(), 0.02)
    low, pick, high = suggest(sweep(), losses, method)
    assert pick == FINDERS[method](sweep(), losses)
    ours = suggest(sweep(), losses)
    assert (low, high) == (min(ours.low, pick), max(ours.high, pick))


def test_steepest() -> None:
    """Where the scaled curve falls fastest: within the fall, before its lowest point."""
    ours = suggest(sweep(), valley(sweep()))
    assert ours.low < suggest(sweep(), valley(sweep()), "steepest").suggested < 0.02


BEYOND = np.where(sweep() < 1e-5, 1.0, np.nan)  # the best rate is below all of these
FLAT = "the loss is flat from 1e-07 to 10: raise high, and see that the optimizer has"


@pytest.mark.parametrize(
    ("losses", "cause", "reason"),
    [
        (np.ones(200), "flat", FLAT),
        (1.0 + 0.1 * np.random.default_rng(0).normal(size=200), "noise", "which its noise of 0.06"),
        (
            BEYOND * (1.0 + sweep() / 1e-6),
            "rising",
            "than at the first rates, from 1e-07: start low",
        ),
        (BEYOND, "rising", "nowhere lower than at the first rates, from 1e-07: start lower"),
        (1.0 + sweep(), "noise", "the loss falls nowhere before it rises: use larger batches"),
        (np.full(200, np.nan), "few", "only 0 updates have a finite loss at a rate above all befo"),
        (np.full((3, 200), np.inf), "few", "only 0 updates"),
        (np.where(np.arange(200) < 9, 1.0, np.nan), "few", "only 9 updates .* less than 10: start"),
    ],
)
def test_refusals(losses: Array, cause: str, reason: str) -> None:
    with pytest.raises(NoSuggestion, match=reason) as refused:
        suggest(sweep(), losses)
    assert refused.value.cause == cause


def test_a_refusal_keeps_its_cause_in_a_pickle() -> None:
    with pytest.raises(NoSuggestion) as refused:
        suggest(sweep(), np.ones(200))
    found = pickle.loads(pickle.dumps(refused.value))
    assert (str(found), found.cause) == (str(refused.value), "flat")
    assert NoSuggestion("another").cause == ""


def test_a_fall_within_the_noise_is_refused() -> None:
    losses = 5.0 + 0.05 * valley(sweep(), 20.0)
    with pytest.raises(NoSuggestion, match=r"which its noise of .* could do alone: use larger"):
        suggest(sweep(), losses + 0.2 * np.exp(-((np.log10(sweep()) + 2.0) ** 2)))


@pytest.mark.parametrize("steps", [100, 400])
def test_noise_alone_is_refused(steps: int) -> None:
    """Whatever its distribution; one in a hundred may pass."""
    generator, told = np.random.default_rng(0), 0
    for _ in range(100):
        for losses in (generator.normal(size=steps), np.exp(generator.normal(size=steps))):
            try:
                suggest(sweep(steps), losses)
            except NoSuggestion:
                continue
            told += 1
    assert told <= 2


def test_a_refusal_is_a_value_error() -> None:
    assert issubclass(NoSuggestion, ValueError)


def test_other_errors() -> None:
    with pytest.raises(ValueError, match="method must be one of default, steepest, torch-lr-f"):
        suggest(sweep(), valley(sweep()), "best")
    with pytest.raises(ValueError, match=r"one for each of the 200 rates, .* shape \(1, 199\)"):
        suggest(sweep(), valley(sweep())[1:])


def test_order_of_a_suggestion() -> None:
    assert Suggestion._fields == ("low", "suggested", "high")


def test_smoothed_lies_among_the_losses_where_they_fall_and_where_they_rise() -> None:
    true, noisy = valley(sweep()), valley(sweep(), 0.05)
    found = smoothed(sweep(), noisy)
    low = true < 2.0
    assert abs(found - true)[low].max() < 0.25
    before = sweep() < 0.01  # where it does not bend
    assert np.std((found - true)[before]) < 0.5 * np.std((noisy - true)[before])
    unfinished = np.where(sweep() < 0.1, noisy, np.nan)
    assert np.isnan(smoothed(sweep(), unfinished)[sweep() > 0.11]).all()


@pytest.mark.parametrize("losses", [np.ones(200), 1.0 + sweep(), np.full(200, np.nan)])
def test_smoothed_refuses_nothing(losses: Array) -> None:
    assert smoothed(sweep(), losses).shape == (200,)


@pytest.mark.parametrize("reason", ["diverged", "nonfinite"])
def test_a_test_that_diverged_is_continued_by_half_a_decade_of_missing_losses(reason: str) -> None:
    rates, losses = 10.0 ** np.linspace(-3.0, -2.0, 11), np.arange(22.0).reshape(2, 11)
    for rows, stopped in ((losses, ("finished", reason)), (losses[0], reason)):
        longer, missing = extend_past_stop(rates, rows, stopped)
        np.testing.assert_allclose(longer, 10.0 ** np.linspace(-3.0, -1.5, 16))
        np.testing.assert_array_equal(missing[..., :11], rows)
        assert missing.shape == (*rows.shape[:-1], 16)
        assert np.isnan(missing[..., 11:]).all()
    longer, _ = extend_past_stop(rates[:2], losses[0, :2], "nonfinite")
    np.testing.assert_allclose(longer, 10.0 ** np.linspace(-3.0, -2.7, 4))  # twice as long at most


@pytest.mark.parametrize(
    ("rates", "stopped"),
    [
        ([0.1, 0.2, 0.3], "finished"),
        ([0.1, 0.2, 0.3], ("finished", "exhausted")),
        ([0.1, 0.2, 0.3], ("finished", "diverged", "finished")),  # fewer than half of them did
        ([0.1, 0.2, 0.3], ()),
        ([0.1], "nonfinite"),
        ([], "nonfinite"),
        ([0.0, 0.1], "nonfinite"),
        ([0.2, 0.2], "nonfinite"),
        ([0.3, 0.2], "nonfinite"),
    ],
)
def test_other_tests_are_not_continued(rates: list[float], stopped: str | tuple[str, ...]) -> None:
    given = np.array(rates), np.ones(len(rates))
    assert extend_past_stop(*given, stopped) == given

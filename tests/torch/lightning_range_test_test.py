"""Range tests in Lightning's loop: what they record, and that they leave no trace."""

import functools
import signal
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.torch.lightning_run import (
    FATES,
    KINDS,
    PLACES,
    STEPS,
    Fit,
    PlannedCallback,
)
from tests.torch.lightning_trainer import IGNORED, trainer_image

pytestmark = IGNORED


@functools.cache
def undisturbed(kind: str, prior: bool) -> Any:
    fit = Fit(kind, prior)
    before = fit.image()
    fit.fit()
    return before, fit.image(), fit.progress(), fit.trainer.logger.logged


PLANS = {
    "kind": st.sampled_from(KINDS),
    "prior": st.booleans(),
    "fate": st.sampled_from(FATES),
    "place": st.sampled_from(PLACES),
    "at": st.integers(0, 3),
}


def check_reason(fate: Any, found: Any) -> None:
    assert found.stopped == fate
    assert (len(found.losses) == STEPS) == (fate == "finished")


@settings(max_examples=50, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(**PLANS)
@example("manual", True, KeyboardInterrupt, "optimizer", 2)
@example("automatic", False, "finished", "", 0)
def test_a_fit_goes_on_as_if_there_had_been_no_test(
    kind: str, prior: bool, fate: Any, place: str, at: int
) -> None:
    before, after, progress, logged = undisturbed(kind, prior)
    fit = Fit(kind, prior)
    trainer, handler = trainer_image(fit.trainer), signal.getsignal(signal.SIGINT)
    if isinstance(fate, type):
        with pytest.raises(fate, match="planned"):
            fit.test((fate, place, at))
    else:
        check_reason(fate, fit.test((fate, place, at)))
    assert fit.image() == before
    assert trainer_image(fit.trainer) == trainer
    assert signal.getsignal(signal.SIGINT) is handler
    fit.fit()
    assert fit.image() == after
    assert fit.progress() == progress
    assert fit.trainer.logger.logged == logged


def test_the_comparisons_can_fail() -> None:
    """A fit changes what they compare."""
    fit = Fit()
    before = fit.image(), trainer_image(fit.trainer)
    fit.fit()
    changed = [a != b for a, b in zip(fit.image(), before[0], strict=True)]
    assert changed[1:] == [True] * 8 + [False]  # of modes, and whether gradients are computed
    assert trainer_image(fit.trainer) != before[1]


# Those that a fit has behind it when the callback runs, and what only `metrics` reaches.
EARLIER = ("configure_optimizers", "on_fit_start", "metrics")


@settings(max_examples=30, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(**PLANS | {"place": st.sampled_from([each for each in PLACES if each not in EARLIER])})
@example("manual", True, KeyboardInterrupt, "optimizer", 2)
@example("automatic", False, "finished", "", 0)
def test_a_fit_goes_on_after_a_callback_as_if_it_were_not_there(
    kind: str, prior: bool, fate: Any, place: str, at: int
) -> None:
    _, after, progress, logged = undisturbed(kind, prior)
    callback = PlannedCallback((fate, place, at))
    callback.images = [None]  # not in the earlier fit
    fit = callback.fit = Fit(kind, prior, callback=callback)
    callback.images = []
    fit.fit()
    assert callback.images[0] == callback.images[1]
    if isinstance(fate, type):
        assert type(callback.error) is fate
    else:
        assert callback.error is None
        check_reason(fate, callback.result)
    assert fit.image() == after
    assert fit.progress() == progress
    assert fit.trainer.logger.logged == logged

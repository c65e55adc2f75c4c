"""`piecewise_constant` and `multi_step_decay`: at which step a value begins."""

import bisect

import pytest

import lrsched
from tests.curves import values
from tests.optional import needs
from tests.stepping import stepped


def test_keras_piecewise_constant_is_one_step_late() -> None:
    """The value before a boundary holds at it too."""
    keras = needs("keras")
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([100, 150], [1.0, 0.5, 0.25])
    counts = (99, 100, 101, 150, 151)
    assert values(theirs, counts) == [1.0, 1.0, 0.5, 0.5, 0.25]
    ours = lrsched.piecewise_constant([1.0, 0.5, 0.25], [100, 150])
    assert values(ours, counts) == [1.0, 0.5, 0.5, 0.25, 0.25]


def test_pytorch_multi_step_lr_ignores_a_fractional_milestone() -> None:
    lr_scheduler = needs("torch.optim.lr_scheduler")
    assert stepped(lambda o: lr_scheduler.MultiStepLR(o, [2.5]), 5) == [1.0] * 5
    ours = lrsched.multi_step_decay(1.0, 0.1, [2.5])
    assert [ours(count) for count in (2, 3)] == [1.0, 0.1]


def test_timm_2745_milestones_are_one_early() -> None:
    """timm 1.0's MultiStepLRScheduler takes `bisect_right(decay_t, t + 1)`, and means to."""
    milestones = [3, 5]
    theirs = [0.5 ** bisect.bisect_right(milestones, count + 1) for count in range(7)]
    assert theirs == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    ours = lrsched.multi_step_decay(1.0, 0.5, milestones)
    assert values(ours, range(7)) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    shifted = lrsched.multi_step_decay(1.0, 0.5, [milestone - 1 for milestone in milestones])
    assert values(shifted, range(7)) == theirs


def test_constant_lr_cannot_come_back_from_zero() -> None:
    """pytorch PR 195853: torch divides by the factor that it applied."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    with pytest.raises(ZeroDivisionError):
        stepped(lambda o: lr_scheduler.ConstantLR(o, factor=0.0, total_iters=2), steps=3)
    assert [lrsched.piecewise_constant([0.0, 1.0], [2])(count) for count in (1, 2)] == [0.0, 1.0]

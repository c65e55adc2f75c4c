"""Cut the learning rate when a metric improves too little since the last one."""

import math
from typing import Any, NamedTuple

from lrsched._arrays.types import Namespace
from lrsched._core.controller_decorator import controller
from lrsched._core.kinds import Rate, Value
from lrsched.controllers.plateau import Cut, Observations


class NewbobState(NamedTuple):
    """What `newbob` remembers between observations.

    `value` is the learning rate, or the factor. `previous` is the last metric, infinite before the
    first one. `patience_left` is how many small improvements will still be passed over.
    """

    value: Any
    previous: Any
    patience_left: Any


@controller(lambda init_value, patience: NewbobState(init_value, math.inf, patience))
def newbob(
    xp: Namespace,
    state: NewbobState,
    metric: Any,
    init_value: Rate = 1.0,
    decay_rate: Cut = 0.5,
    threshold: Value = 0.0025,
    patience: Observations = 0,
) -> NewbobState:
    """Constant until a metric improves too little since the previous one, then lower by a factor.

        improvement = (previous - metric) / previous    for previous != 0
                      0                                 for previous = 0

        value <- value * decay_rate    if improvement < threshold, `patience` times passed over

    Unlike `reduce_on_plateau` it compares a metric with the one before it, not with the best, and
    passed-over improvements need not follow each other. The first metric changes nothing, and
    neither does one beside NaN or an infinite one. Lower metrics are better, and they should be
    positive: with a negative `previous` the sign of the improvement is the other way round.

    Args:
        init_value: the value before the first cut, 0 or more; 1.0 for a factor of a schedule.
        decay_rate: the factor of each cut, at least 0 and below 1.
        threshold: the improvement, as a fraction of the previous metric, below which it is small.
        patience: how many small improvements are passed over before each cut, 0 or more.

    Raises:
        TypeError: a number is of the wrong type, or `patience` is not an integer.
        ValueError: a number is not finite, `init_value` or `patience` is negative, or `decay_rate`
            is not in [0, 1).

    Source: SpeechBrain's `NewBobScheduler`; the rule is that of ICSI's QuickNet ("new bob").

    Elsewhere: `speechbrain.nnet.schedulers.NewBobScheduler(initial_value, annealing_factor,
    improvement_threshold, patient)`, whose second result is this value to the last bit.

    >>> rate = newbob(1.0)
    >>> state = rate.init()
    >>> for loss in (10.0, 2.0, 2.5):
    ...     state = rate.update(state, loss)
    ...     print(state.value)
    1.0
    1.0
    0.5
    """
    del init_value
    value, previous, patience_left = state
    is_zero = previous == 0
    is_no_divisor = xp.logical_or(is_zero, previous == math.inf)
    divided = (previous - metric) / xp.where(is_no_divisor, 1.0, previous)
    is_small = xp.where(is_zero, 0.0, divided) < threshold
    is_cut = xp.logical_and(is_small, patience_left == 0)
    value = xp.where(is_cut, decay_rate * value, value)
    passed_over = xp.where(is_small, patience_left - 1, patience_left)
    return NewbobState(value, metric, xp.where(is_cut, patience, passed_over))

"""Values that follow a metric."""

from lrsched._core.controller import Controller
from lrsched._core.controller_decorator import controller
from lrsched.controllers.greedy import GreedyState, greedy
from lrsched.controllers.kl_adaptive import KLAdaptiveState, kl_adaptive
from lrsched.controllers.newbob import NewbobState, newbob
from lrsched.controllers.plateau import Plateau, PlateauState, reduce_on_plateau
from lrsched.controllers.wrappers import (
    AccumulatedState,
    SkippedState,
    accumulate_metric,
    skip_metrics,
)

__all__ = [
    "AccumulatedState",
    "Controller",
    "GreedyState",
    "KLAdaptiveState",
    "NewbobState",
    "Plateau",
    "PlateauState",
    "SkippedState",
    "accumulate_metric",
    "controller",
    "greedy",
    "kl_adaptive",
    "newbob",
    "reduce_on_plateau",
    "skip_metrics",
]

"""One definition of each learning-rate schedule, for JAX, PyTorch, NumPy and plain Python."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lrsched import _old_paths
from lrsched._arrays.types import Array, Namespace
from lrsched._core.controller import Controller
from lrsched._core.controller_decorator import controller
from lrsched._core.decorator import Inner, schedule
from lrsched._core.duration_factories import epochs, examples, run_fraction, tokens
from lrsched._core.durations import Duration
from lrsched._core.kinds import Fraction, Positive, Rate, Steps, Value, WholeSteps
from lrsched._core.schedule import Schedule
from lrsched._set_module import set_module
from lrsched.configs.from_config import from_config
from lrsched.controllers.greedy import greedy
from lrsched.controllers.kl_adaptive import kl_adaptive
from lrsched.controllers.newbob import newbob
from lrsched.controllers.plateau import Plateau, PlateauState, reduce_on_plateau
from lrsched.controllers.wrappers import accumulate_metric, skip_metrics
from lrsched.diff import Diff, diff
from lrsched.formats import flax_state, jax_export
from lrsched.formats.parse import from_repr
from lrsched.formats.serialize import from_dict, from_json, json_schema, load
from lrsched.formats.transformers_names import from_name
from lrsched.plot import plot
from lrsched.schedules.anneal import anneal, k_decay, reciprocal_decay, rex, tanh_decay
from lrsched.schedules.batch_size import rampup_batch_size, scale_for_batch_size
from lrsched.schedules.chebyshev import fractal_chebyshev
from lrsched.schedules.combine import join, product, scale, then_scale, warmup
from lrsched.schedules.cycles import cyclic, one_cycle
from lrsched.schedules.decay import (
    cosine_decay,
    exponential_decay,
    multi_step_decay,
    piecewise_constant,
    step_decay,
)
from lrsched.schedules.inverse import (
    eden_decay,
    inverse_power,
    inverse_sqrt,
    inverse_time,
    natural_exponential_decay,
    power_law,
)
from lrsched.schedules.noise import noise
from lrsched.schedules.paper_recipes import eden, noam, slanted_triangular, tri_stage
from lrsched.schedules.points import interpolate
from lrsched.schedules.ramp import constant, exponential_ramp, linear, polynomial
from lrsched.schedules.recipes import deepseek, infinite, warmup_cosine, warmup_stable_decay
from lrsched.schedules.remaining_progress import RemainingProgress, remaining_progress
from lrsched.schedules.restarts import cosine_restarts, with_restarts
from lrsched.schedules.stretch import from_epochs, stretch
from lrsched.schedules.time import resume, switch, time_warp
from lrsched.schedules.transform import (
    add,
    advance,
    clip,
    cooldown,
    delay,
    maximum,
    minimum,
    repeat,
    reverse,
    staircase,
)
from lrsched.schedules.warmup_factors import (
    exponential_warmup,
    log_warmup,
    radam_warmup,
    sigmoid_ramp_up,
    untuned_linear_warmup,
)

__version__ = "0.2.0"

__all__ = [
    "Array",
    "Controller",
    "Diff",
    "Duration",
    "Fraction",
    "Inner",
    "Namespace",
    "Plateau",
    "PlateauState",
    "Positive",
    "RangeTest",
    "Rate",
    "RemainingProgress",
    "Schedule",
    "Steps",
    "Sweep",
    "Value",
    "WholeSteps",
    "accumulate_metric",
    "add",
    "advance",
    "anneal",
    "clip",
    "constant",
    "controller",
    "cooldown",
    "cosine_decay",
    "cosine_restarts",
    "cyclic",
    "deepseek",
    "delay",
    "diff",
    "eden",
    "eden_decay",
    "epochs",
    "examples",
    "exponential_decay",
    "exponential_ramp",
    "exponential_warmup",
    "fractal_chebyshev",
    "from_config",
    "from_dict",
    "from_epochs",
    "from_json",
    "from_name",
    "from_repr",
    "greedy",
    "infinite",
    "interpolate",
    "inverse_power",
    "inverse_sqrt",
    "inverse_time",
    "join",
    "json_schema",
    "k_decay",
    "kl_adaptive",
    "linear",
    "load",
    "log_warmup",
    "maximum",
    "minimum",
    "multi_step_decay",
    "natural_exponential_decay",
    "newbob",
    "noam",
    "noise",
    "one_cycle",
    "piecewise_constant",
    "plot",
    "polynomial",
    "power_law",
    "product",
    "radam_warmup",
    "rampup_batch_size",
    "reciprocal_decay",
    "reduce_on_plateau",
    "remaining_progress",
    "repeat",
    "resume",
    "reverse",
    "rex",
    "run_fraction",
    "scale",
    "scale_for_batch_size",
    "schedule",
    "sigmoid_ramp_up",
    "skip_metrics",
    "slanted_triangular",
    "staircase",
    "step_decay",
    "stretch",
    "switch",
    "tanh_decay",
    "then_scale",
    "time_warp",
    "tokens",
    "tri_stage",
    "untuned_linear_warmup",
    "warmup",
    "warmup_cosine",
    "warmup_stable_decay",
    "with_restarts",
]

set_module(__name__, __all__, globals())
_old_paths.install()
jax_export.register()
flax_state.register()


if TYPE_CHECKING:
    from lrsched.range_test import RangeTest
    from lrsched.sweep import Sweep
else:  # A checker would accept every name.

    def __getattr__(name: str) -> Any:
        """Range tests and sweeps on first use: they import NumPy."""
        module = {"RangeTest": "range_test", "Sweep": "sweep"}.get(name, name)
        if module not in ("range_test", "sweep"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = import_module(f"{__name__}.{module}")
        return found if name == module else getattr(found, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__", "range_test", "sweep"]

"""One definition of each learning-rate schedule, for JAX, PyTorch, NumPy and plain Python."""

from lrsched._define import Inner, schedule
from lrsched._schedule import Schedule
from lrsched._validate import Fraction, Positive, Rate, Steps, Value
from lrsched.combine import join, product, scale, warmup
from lrsched.cycles import cyclic, one_cycle
from lrsched.decay import (
    cosine_decay,
    exponential_decay,
    multi_step_decay,
    piecewise_constant,
    step_decay,
)
from lrsched.ramp import constant, exponential_ramp, linear, polynomial
from lrsched.restarts import cosine_restarts
from lrsched.serialize import from_dict, from_json

__version__ = "0.1.0"

__all__ = [
    "Fraction",
    "Inner",
    "Positive",
    "Rate",
    "Schedule",
    "Steps",
    "Value",
    "constant",
    "cosine_decay",
    "cosine_restarts",
    "cyclic",
    "exponential_decay",
    "exponential_ramp",
    "from_dict",
    "from_json",
    "join",
    "linear",
    "multi_step_decay",
    "one_cycle",
    "piecewise_constant",
    "polynomial",
    "product",
    "scale",
    "schedule",
    "step_decay",
    "warmup",
]

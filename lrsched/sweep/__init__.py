"""Sweeps: copies of one training, each under its own learning-rate schedule.

`lrsched_jax.sweep`, `lrsched_keras.sweep` and `lrsched_torch.sweep` run one; this package is what
they share: the result, and how trainings are spread over an executor.
"""

from lrsched._set_module import set_module
from lrsched.sweep.failure import Failure
from lrsched.sweep.result import Sweep
from lrsched.sweep.run import repeats_over, sweep_over
from lrsched.sweep.schedules import rates_of, schedules_of
from lrsched.sweep.tasks import run_tasks

__all__ = [
    "Failure",
    "Sweep",
    "rates_of",
    "repeats_over",
    "run_tasks",
    "schedules_of",
    "sweep_over",
]

set_module(__name__, __all__, globals())

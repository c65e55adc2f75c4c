"""Learning-rate range tests: the result, and what it suggests.

A range test raises the learning rate over a few hundred updates and records the loss of each
(Smith 2015, arXiv:1506.01186, section 3.3). `lrsched_jax.range_test`,
`lrsched_torch.range_test` and `lrsched_keras.range_test` run one; this package is what they share.
"""

from lrsched._set_module import set_module
from lrsched.range_test.reading.probe import PROBE_REPEATS, PROBE_STEPS, Probe
from lrsched.range_test.reading.recorder import DIVERGENCE, Recorder, Stopped
from lrsched.range_test.reading.suggestion import Suggestion
from lrsched.range_test.reading.valley import NoSuggestion
from lrsched.range_test.result.range_test import RangeTest
from lrsched.range_test.running.rates import default_ramp

__all__ = [
    "DIVERGENCE",
    "PROBE_REPEATS",
    "PROBE_STEPS",
    "NoSuggestion",
    "Probe",
    "RangeTest",
    "Recorder",
    "Stopped",
    "Suggestion",
    "default_ramp",
]

set_module(__name__, __all__, globals())

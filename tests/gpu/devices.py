"""The device of the checks: a GPU, or with `DEVICE=cpu` the CPU, to write them without one."""

import os
from collections.abc import Sequence

import numpy as np
import pytest

from lrsched import Schedule
from tests.backends import Values
from tests.optional import needs

DEVICE = os.environ.get("DEVICE", "gpu")
TORCH_DEVICE = "cuda" if DEVICE == "gpu" else DEVICE
ON_A_GPU = DEVICE == "gpu"

# torch takes memory of the same GPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

# Of torch: its compiler's own modules, its advice for faster products of matrices, and that what
# forbids to wait for a GPU does not see everything.
TORCH_WARNINGS = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch",
    "ignore:TensorFloat32 tensor cores:UserWarning",
    "ignore:Synchronization debug mode:UserWarning",
)


def needs_torch_device() -> None:
    """Skip the module where torch has no such device."""
    torch = needs("torch")
    if ON_A_GPU and not torch.cuda.is_available():
        pytest.skip("needs a GPU that torch sees", allow_module_level=True)


def needs_jax_device() -> None:
    """Skip the module where JAX does not run on such a device."""
    jax = needs("jax")
    if jax.default_backend() != DEVICE:
        pytest.skip(f"needs JAX on a {DEVICE}", allow_module_level=True)


def torch_values(schedule: Schedule, counts: Sequence[int]) -> Values:
    """The values by torch's operations on the device."""
    torch = needs("torch")
    values = schedule(torch.asarray(list(counts), device=TORCH_DEVICE))
    assert values.device.type == TORCH_DEVICE
    assert values.dtype == torch.float32
    return np.asarray(values.cpu(), np.float64)

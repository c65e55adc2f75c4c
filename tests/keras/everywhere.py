"""What is computed on each of Keras's backends, which a process can have only one of."""

import functools
import json
import tempfile
from typing import Any

from tests.optional import is_installed, needing
from tests.processes import outputs, start

BACKENDS = ("jax", "torch", "tensorflow", "numpy")
PARAMS = [needing(backend, backend) for backend in BACKENDS]
TRAINING = PARAMS[:3]  # NumPy does not train


@functools.cache
def everywhere() -> dict[str, dict[str, Any]]:
    """The results of each backend: from one process each, as its imports take several seconds."""
    backends = list(filter(is_installed, BACKENDS))
    with tempfile.TemporaryDirectory() as folder:
        found = outputs(
            *(
                start("keras_everything.py", folder, warnings="default", KERAS_BACKEND=backend)
                for backend in backends
            ),
            seconds=600,
        )
    return {
        backend: json.loads(out.splitlines()[-1])
        for backend, out in zip(backends, found, strict=True)
    }

"""Runs what is tested on the Keras backend of the environment; see `tests/keras/everywhere.py`."""

import json
import sys
from pathlib import Path

import keras

from tests.scripts import keras_backends, keras_controlled, keras_range_tests


def main(folder: Path) -> None:
    results = {"schedules": keras_backends.run(folder), "controlled": keras_controlled.run(folder)}
    if keras.backend.backend() in ("torch", "tensorflow"):  # on JAX the tests run them themselves
        results["range tests"] = keras_range_tests.run(draws=1)
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

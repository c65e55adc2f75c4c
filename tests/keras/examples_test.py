"""The example in Keras, with few steps."""

from pathlib import Path

from tests.optional import needs

needs("jax")
needs("keras")

import pytest

from tests.examples import numbers, printed_by


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_a_loaded_model_goes_on_where_it_stopped(tmp_path: Path) -> None:
    text = printed_by("keras_fit", "--epochs", "4", folder=tmp_path)
    assert "schedule: warmup_cosine(" in text
    assert numbers(text, "updates:") == [4 * 23]
    assert numbers(text, "largest difference of the rates:")[0] < 1e-8  # rounding to float32
    first, last = numbers(text, "loss:")
    assert last < first / 2

"""The examples in torch alone, with few steps."""

from pathlib import Path

from tests.optional import needs

needs("torch")

import numpy as np

from tests.examples import numbers, printed_by


def test_a_loop_is_resumed_exactly(tmp_path: Path) -> None:
    text = printed_by("torch_loop", "--epochs", "4", folder=tmp_path)
    assert "schedule: warmup_cosine(" in text
    assert numbers(text, "largest difference of the resumed weights:") == [0.0]
    assert numbers(text, "held-out accuracy:")[0] > 0.7  # chance is 0.1


def test_layerwise_rates_keep_more_of_what_was_learned(tmp_path: Path) -> None:
    text = printed_by("fine_tuning", "--steps", "20", "--repeats", "1", folder=tmp_path)
    rows = ("one rate for all layers", "layer-wise, 0.6 a layer")
    for_all, layerwise = (numbers(text, f"{row}  ") for row in rows)
    assert np.mean(for_all[0::2]) > 0.4  # of the new digits; chance is 0.2
    assert np.mean(layerwise[1::2]) > np.mean(for_all[1::2])

"""The examples in JAX, with few steps."""

from pathlib import Path

from tests.optional import is_installed, needs

for library in ("jax", "optax"):
    needs(library)

import pytest

from tests.examples import numbers, printed_by


@pytest.mark.skipif(not is_installed("flax>=0.11"), reason="needs flax>=0.11")
def test_a_flax_model_is_resumed_exactly(tmp_path: Path) -> None:
    needs("orbax")
    text = printed_by("flax_nnx", "--steps", "60", folder=tmp_path)
    assert "schedule: warmup_cosine(" in text
    assert numbers(text, "largest difference of the resumed weights:") == [0.0]
    assert numbers(text, "held-out accuracy:")[0] > 0.7  # chance is 0.1


def test_a_cooldown_is_the_end_of_the_planned_run(tmp_path: Path) -> None:
    text = printed_by("language_model", "--steps", "60", folder=tmp_path)
    assert numbers(text, "planned or cooled down:") == [0.0, 0.0]
    planned = numbers(text, "planned in full:")[0]
    assert planned == numbers(text, "cooldown of 18 updates:")[0]
    assert planned < numbers(text, "cooldown of 6 updates:")[0] < 4.0  # that of chance is 4.9


def test_the_choice_of_a_sweep_has_the_lowest_loss(tmp_path: Path) -> None:
    text = printed_by("sweep", "--steps", "30", folder=tmp_path)
    shapes = ("constant", "linear", "warmup_cosine", "warmup_stable_decay")
    table = {shape: numbers(text, f"{shape} ") for shape in shapes}
    peaks = numbers(text, "final loss at peak")
    assert all(len(losses) == len(peaks) for losses in table.values())
    chosen = numbers(text, "its final loss:")[0]
    assert chosen == min(min(losses) for losses in table.values()) < 1.0  # that of chance is 2.3
    shape = min(table, key=lambda each: min(table[each]))
    assert numbers(text, f"schedule: {shape}(")[0] == peaks[table[shape].index(chosen)]

"""The example in the Trainer of transformers, with few steps."""

from pathlib import Path

from tests.optional import needs

needs("torch")
needs("transformers")

from tests.examples import numbers, printed_by


def test_the_suggested_schedule_trains_faster_than_the_default(tmp_path: Path) -> None:
    text = printed_by("transformers_trainer", "--steps", "40", folder=tmp_path)
    assert "schedule: warmup_cosine(" in text
    first, last = numbers(text, "suggested: loss")
    default_first, default_last = numbers(text, "the Trainer's default: loss")
    assert last < first - 1
    assert last < default_last < default_first

"""The example in Lightning, with few steps."""

from pathlib import Path

from tests.optional import needs

needs("torch")
needs("lightning")

from tests.examples import numbers, printed_by
from tests.torch.lightning_trainer import IGNORED

pytestmark = IGNORED


def test_lightning_logs_the_rates_of_the_schedule(tmp_path: Path) -> None:
    text = printed_by("lightning_module", "--steps", "60", folder=tmp_path)
    assert "schedule: warmup_cosine(" in text
    assert numbers(text, "largest difference of the logged rates from the schedule:") == [0.0]
    assert numbers(text, "held-out accuracy:")[0] > 0.7  # chance is 0.1

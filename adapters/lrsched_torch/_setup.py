"""What the command `lrsched range-test` runs."""

from typing import Any

from lrsched.range_test import RangeTest
from lrsched_torch._model import range_test_model
from lrsched_torch._range_test import range_test


def run(given: dict[str, Any]) -> RangeTest:
    """The range test of these arguments: of a model, or of a step."""
    return range_test_model(**given) if "model" in given else range_test(**given)

"""What the command `lrsched range-test` runs."""

from typing import Any

from lrsched.range_test import RangeTest
from lrsched_jax._range_test import range_test


def run(given: dict[str, Any]) -> RangeTest:
    """The range test of these arguments."""
    return range_test(**given)

"""A configuration's schedule beside its formula in plain Python."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lrsched import from_config


def compare(
    config: Any,
    formula: Callable[[int], float],
    counts: Iterable[int],
    format: str | None = None,
    **context: Any,
) -> None:
    """Fail unless the schedule of a configuration is the formula at every count, to 1e-9.

    `format` is the name of the format; the keys must tell it, too.
    """
    schedule = from_config(config, **context)
    assert from_config(config, format=format, **context) == schedule
    for count in counts:
        expected = pytest.approx(formula(count), rel=1e-9, abs=1e-18)
        assert schedule(count) == expected, f"at {count}: {schedule}"


def refusal(config: Any, **context: Any) -> str:
    """The message with which a configuration is refused."""
    with pytest.raises((TypeError, ValueError)) as refused:
        from_config(config, **context)
    return str(refused.value)

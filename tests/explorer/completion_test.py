"""What can follow in the text of a recipe."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched._core.definition import REGISTRY
from lrsched.explorer.completion import complete
from lrsched.formats.names import known_names


def texts(typed: str) -> list[str]:
    return [item["text"] for item in complete(typed, len(typed))["items"]]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("cosine_d", ["cosine_decay("]),
        ("warmup(cosine_r", ["cosine_restarts("]),
        ("step_decay(1, ", ["decay_rate=", "step_size="]),
        ("warmup(constant(1), warmup_steps=5, sh", ["shape="]),
        ("warmup(constant(1), 5, shape='q", ["'quarter-cosine'"]),
        ("warmup(constant(1), 5, shape='1-s", ["'1-sqrt'", "'1-square'"]),
        ("exponential_decay(1, 0.5, 9, staircase=", ["False", "True"]),
        ("cosine_decay(0.1, run", ["run_fraction("]),
        ("0.5 * lin", ["linear("]),
        ("join([lin", ["linear("]),
        ("constant(0.1", []),
        ("'lin", []),
        ("", []),
        ("unknown(", []),
        ("warmup(constant(1), 5) + constant(", ["value="]),
    ],
)
def test_what_can_follow(typed: str, expected: list[str]) -> None:
    assert texts(typed) == expected


@pytest.mark.parametrize("name", sorted(known_names()))
def test_every_name_and_its_parameters(name: str) -> None:
    assert f"{name}(" in texts(name[:-1])
    if name in REGISTRY:
        assert [text[:-1] for text in texts(f"{name}(")] == list(REGISTRY[name].parameters)


def test_what_is_replaced_is_what_is_typed() -> None:
    found = complete("warmup(cosi, 100)", 11)
    assert (found["begin"], found["end"]) == (7, 11)


@settings(max_examples=100, deadline=None)
@given(st.text("warmup(cosine_decay,= '\")[]{.", max_size=60), st.integers(0, 80))
def test_no_text_raises(text: str, place: int) -> None:
    found = complete(text, place)
    assert 0 <= found["begin"] <= found["end"] <= len(text)

"""The state of the page in an address, and addresses that nobody has written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.explorer.address import (
    AXES,
    LENGTHS,
    MAX_CURVES,
    MAX_NAME,
    START,
    read_state,
    write_recipes,
    write_state,
)
from lrsched.explorer.examples import EXAMPLES

_curves = st.fixed_dictionaries(
    {
        "recipe": st.sampled_from([repr(each) for each in EXAMPLES]) | st.just("1 - constant(0.1)"),
        "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_NAME),
        "colour": st.integers(0, MAX_CURVES - 1),
        "hidden": st.booleans(),
    }
)
_places = st.floats(0, 1e12) | st.integers(0, 2**31)


@st.composite
def states(draw: Any) -> dict[str, Any]:
    begin, end = sorted(draw(st.lists(_places, min_size=2, max_size=2, unique=True)))
    lengths = st.sampled_from(["", "100", "1e6", "0.5"])
    return {
        "curves": draw(st.lists(_curves, min_size=1, max_size=MAX_CURVES)),
        "lengths": {name: draw(lengths) for name in LENGTHS},
        "axis": draw(st.sampled_from(AXES)),
        "log": draw(st.booleans()),
        **draw(st.sampled_from([{"from": None, "to": None}, {"from": begin, "to": end}])),
        "against": [draw(st.integers(0, 7)), draw(st.integers(0, 7))],
    }


@settings(max_examples=100, deadline=None)
@given(states())
def test_a_state_is_read_as_it_was_written(state: dict[str, Any]) -> None:
    fragment = write_state(state)
    assert fragment.isascii()
    assert not set(fragment) & set(' <>"#')
    assert read_state(fragment) == state


def test_a_page_without_a_state_begins_with_a_recipe() -> None:
    assert [curve["recipe"] for curve in read_state("")["curves"]] == [START]


@pytest.mark.parametrize(
    ("fragment", "reason"),
    [
        ("recipe", "bad query field"),
        ("recipe=warmup(cosine_de", "column 7"),
        ("recipe=%ff", "codec can't decode"),
        ("recipe=constant(1)&x=1", "unknown part 'x'"),
        ("recipe=constant(1)&log=2", "none of 0, 1"),
        ("recipe=constant(1)&axis=years", "none of step"),
        ("recipe=constant(1)&from=nan", "no finite number"),
        ("recipe=constant(1)&from=9&to=3", "no width"),
        ("recipe=constant(1)&hidden=1", "none of its 1"),
        ("recipe=constant(1)&hidden=-1", "none of its 1"),
        ("recipe=constant(1)&colour=0%20%C2%B2", "none of its 8"),
        ("recipe=constant(1)&against=0", "none of its 8"),
        ("recipe=constant(1)&" * 9 + "log=1", "more than 8 recipes"),
        ("recipe=__import__(%27os%27)", "must be one of"),
        ("<script>alert(1)</script>", "bad query field"),
        ("a" * 100_000, "too long"),
        ("recipe=" + "(" * 3000, "nested this deeply"),
        ("log=1&" * 61, "Max number of fields"),
    ],
)
def test_a_damaged_link_is_refused_in_a_line(fragment: str, reason: str) -> None:
    with pytest.raises(ValueError, match="This link is damaged: ") as error:
        read_state(fragment)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.text("recipe=constant(1)&%20hidlog", max_size=60))
def test_no_fragment_raises_anything_else(fragment: str) -> None:
    try:
        state = read_state(fragment)
    except ValueError as error:
        state, message = None, str(error)
    if state is None:
        assert message.startswith("This link is damaged: ")
    else:
        assert read_state(write_state(state)) == state


def test_only_so_many_recipes_fit_into_a_link() -> None:
    with pytest.raises(ValueError, match="explore: recipes must be at most 8, got 9"):
        write_recipes([START] * 9)

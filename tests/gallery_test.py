"""The gallery shows every schedule, and what is committed is what its command writes."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from lrsched._core.definition import REGISTRY

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def gallery() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "gallery.py"))


def test_every_schedule_is_shown_once(gallery: dict[str, Any]) -> None:
    shown = [schedule.name for schedule in gallery["EXAMPLES"]]
    assert sorted(shown) == sorted(
        name for name in REGISTRY if REGISTRY[name].body.__module__.startswith("lrsched.")
    )


def test_the_committed_page_is_up_to_date(gallery: dict[str, Any]) -> None:
    page = (DOCS / "reference" / "gallery.md").read_text(encoding="utf-8")
    for schedule in gallery["EXAMPLES"]:
        assert gallery["section"](schedule) in page
        assert (
            DOCS / "reference" / "gallery" / f"{schedule.name}.svg"
        ).read_text() == schedule._repr_svg_()

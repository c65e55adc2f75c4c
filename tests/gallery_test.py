"""The gallery shows every schedule, and what is committed is what its command writes."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from lrsched._core.definition import REGISTRY

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "reference"


@pytest.fixture
def gallery() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "gallery.py"))


def test_every_schedule_is_shown_once(gallery: dict[str, Any]) -> None:
    shown = [schedule.name for schedule in gallery["EXAMPLES"]]
    assert sorted(shown) == sorted(
        name for name in REGISTRY if REGISTRY[name].body.__module__.startswith("lrsched.")
    )


def test_the_committed_page_and_its_pictures_are_up_to_date(gallery: dict[str, Any]) -> None:
    assert (FOLDER / "gallery.md").read_text(encoding="utf-8") == gallery["page"]()
    for schedule in gallery["EXAMPLES"]:
        picture = (FOLDER / "gallery" / f"{schedule.name}.svg").read_text()
        assert picture == schedule._repr_svg_()


def test_the_page_shows_every_picture_once(gallery: dict[str, Any]) -> None:
    shown = re.findall(r"!\[(\w+)\]\(gallery/\1\.svg\)", gallery["page"]())
    assert sorted(shown) == sorted(schedule.name for schedule in gallery["EXAMPLES"])

"""Draw every schedule: `make gallery` writes docs/gallery.md and its pictures."""

import inspect
from pathlib import Path

from lrsched import Schedule
from lrsched._core.definition import REGISTRY
from lrsched.explorer.examples import EXAMPLES

FOLDER = Path(__file__).parent


def section(schedule: Schedule) -> str:
    """A heading with the first line of the docstring, the picture and its recipe."""
    summary = (inspect.getdoc(REGISTRY[schedule.name].body) or "").splitlines()[0]
    picture = f"![{schedule.name}](gallery/{schedule.name}.svg)"
    return f"## {schedule.name}\n\n{summary}\n\n{picture}\n\n```text\n{schedule!r}\n```\n"


def main() -> None:
    """Write the page and the pictures."""
    (FOLDER / "gallery").mkdir(exist_ok=True)
    for schedule in EXAMPLES:
        (FOLDER / "gallery" / f"{schedule.name}.svg").write_text(schedule._repr_svg_())
    intro = "# Gallery\n\nEvery schedule once, as `make gallery` draws it.\n"
    page = "\n".join([intro, *map(section, EXAMPLES)])
    (FOLDER / "gallery.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

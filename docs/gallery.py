"""Draw every schedule: `make gallery` writes docs/reference/gallery.md and its pictures."""

from pathlib import Path

from docs._extensions.places import families
from lrsched.explorer.examples import EXAMPLES

FOLDER = Path(__file__).parent / "reference"
COLUMNS = 3
HEAD = """# Gallery

Every schedule once, as `make gallery` draws it. On the site, each picture leads to the page of its
schedule, which has the recipe of the picture.
"""


def page() -> str:
    """The page: a table of pictures for each family of schedules."""
    names = {schedule.name for schedule in EXAMPLES}
    parts = [HEAD]
    for family, members in families().items():
        if shown := [name for name in members if name in names]:
            parts.append(f"## {family[:1].upper()}{family[1:]}\n\n{table(shown)}")
    return "\n".join(parts)


def table(names: list[str]) -> str:
    """The pictures of some schedules, with their names, a few in each row."""
    cells = [f"![{name}](gallery/{name}.svg) `{name}`" for name in names]
    cells += [""] * (-len(cells) % COLUMNS)
    rows = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    lines = [[""] * COLUMNS, ["---"] * COLUMNS, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write the page and the pictures."""
    (FOLDER / "gallery").mkdir(exist_ok=True)
    for schedule in EXAMPLES:
        (FOLDER / "gallery" / f"{schedule.name}.svg").write_text(schedule._repr_svg_())
    (FOLDER / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

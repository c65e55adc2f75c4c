"""Draw every schedule: `make gallery` writes docs/reference/gallery.md and its pictures."""

from pathlib import Path

import lrsched
from docs._extensions.places import families

FOLDER = Path(__file__).parent / "reference"
COLUMNS = 3
HEAD = """# Gallery

Every schedule once, as `make gallery` draws it. On the site, each picture leads to the page of its
schedule, which has the recipe of the picture.
"""
COSINE = lrsched.cosine_decay(0.1, 1000)
EXAMPLES = [
    lrsched.constant(0.1),
    lrsched.linear(0.1, 0.0, 1000),
    lrsched.polynomial(0.1, 0.0, 1000, power=3),
    lrsched.exponential_ramp(0.001, 1.0, 1000),
    lrsched.exponential_decay(0.1, 0.5, 200),
    lrsched.step_decay(0.1, 0.5, 200),
    lrsched.multi_step_decay(0.1, 0.3, (300, 600, 800)),
    lrsched.piecewise_constant((0.05, 0.1, 0.02), (200, 700)),
    COSINE,
    lrsched.cosine_restarts(0.1, 150, period_mult=2, peak_mult=0.8),
    lrsched.cyclic(0.01, 0.1, up_steps=150, mode="triangular2"),
    lrsched.one_cycle(0.1, 1000),
    lrsched.anneal(0.1, 0.0, 1000, shape="1-sqrt"),
    lrsched.rex(0.1, 1000),
    lrsched.reciprocal_decay(0.1, 1000, 0.01),
    lrsched.k_decay(0.1, 1000, k=3),
    lrsched.tanh_decay(0.1, 1000),
    lrsched.interpolate((0.02, 0.1, 0.05, 0.0), (250, 600, 1000)),
    lrsched.fractal_chebyshev(0.1, 0.01, 16),
    lrsched.inverse_sqrt(0.1, 100),
    lrsched.inverse_power(0.1, 100, 2 / 3),
    lrsched.eden_decay(0.1, 300),
    lrsched.inverse_time(0.1, 1.0, 100),
    lrsched.natural_exponential_decay(0.1, 1.0, 300),
    lrsched.power_law(0.1, coefficient=0.3),
    lrsched.exponential_warmup(100.0),
    lrsched.log_warmup(1000),
    lrsched.sigmoid_ramp_up(1000),
    lrsched.radam_warmup(0.99),
    lrsched.warmup(COSINE, 200),
    lrsched.join([lrsched.linear(0.0, 0.1, 200), lrsched.constant(0.1), COSINE], [200, 500]),
    lrsched.then_scale(lrsched.constant(0.1), 600, lrsched.linear(1.0, 0.0, 400)),
    lrsched.scale(COSINE, 0.5),
    lrsched.product(COSINE, lrsched.cyclic(0.5, 1.0, up_steps=50)),
    lrsched.add(COSINE, lrsched.cyclic(0.0, 0.02, up_steps=50)),
    lrsched.minimum(COSINE, 0.06),
    lrsched.maximum(COSINE, 0.02),
    lrsched.clip(COSINE, 0.02, 0.08),
    lrsched.delay(COSINE, 300),
    lrsched.advance(COSINE, 300),
    lrsched.repeat(COSINE, 400),
    lrsched.reverse(COSINE, 1000),
    lrsched.staircase(COSINE, 100),
    lrsched.noise(COSINE, 0.2, every=20, begin=300, end=800),
    lrsched.cooldown(lrsched.inverse_sqrt(0.1, 300), 700, 200),
    lrsched.time_warp(COSINE, (1, 4), (300,)),
    lrsched.switch(COSINE, lrsched.linear(0.1, 0.0, 1000), 400, continuous=True),
    lrsched.resume(COSINE, 400, total_steps=(1000, 2000)),
    lrsched.rampup_batch_size(32, 32, 50_000, 256),
    lrsched.untuned_linear_warmup(0.99),
    lrsched.scale_for_batch_size(COSINE, 128, 256),
    lrsched.with_restarts(COSINE, 1000, 3, period_mult=0.5, peak_mult=0.7, warmup_steps=50),
    lrsched.warmup_cosine(0.1, 1000, 100),
    lrsched.warmup_stable_decay(0.1, 100, 700, 200),
    lrsched.deepseek(0.1, 1000, 100),
    lrsched.infinite(0.1, 100, 300, 0.03, 400, 200, 0.001),
    lrsched.tri_stage(0.1, 100, 400, 500),
    lrsched.slanted_triangular(0.1, 1000),
    lrsched.eden(0.1, 500, 3.5, 100, epoch_steps=100),
    lrsched.noam(512, 200),
]


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

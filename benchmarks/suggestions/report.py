"""The page and the figure of the benchmark of suggestions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suggestions.judge import OVERFITS, Figures, Suggestions, is_ours
from benchmarks.suggestions.runs import METHODS, SEEDS, STEPS
from benchmarks.suggestions.truth import LENGTHS

SHAPES = ("warmup_cosine", "one_cycle")
TICKS = (1, 1.1, 1.25, 1.5, 2, 3, 4)
SHOWN = ("default", "refine", "ramp", "ignite", "minimum", "valley")  # of each task
PEERS = tuple(method for method in METHODS if not is_ours(method))
NAMES = {
    "default": "as it is",
    "refine": "`refine=True`",
    "ramp": "the ramp alone",
    "3 times the ramp": "a ramp of 3 times the updates",
    "3 repeats": "3 repeats of the ramp",
    "steepest": "the steepest fall of the ramp",
}
CONSTANT_GOAL, REFINED_GOAL = 1.06, 1.04
WORST_GOAL, WORST_REFINED_GOAL = 2.0, 1.5
PEAK_GOALS = dict(zip(LENGTHS, (1.05, 1.12, 1.15), strict=True))
BAND_GOAL = (0.75, 0.9)

HEAD = """# How good the suggestions of range tests are

Made by `make quality`; do not edit.

`lrsched_jax.range_test` is run as users run it, with ramps from 1e-7 to 10 in 100, 200 and 400
updates and ten seeds, on {n} tasks. The score of a suggested rate is the loss **held out** after a
run at it, over that at the best of 25 rates from 1e-5 to 10, interpolated between them (of twelve
other seeds; a loss counts as at most 4 times and at least a thousandth of that before training). A
test that suggests nothing has the loss before training. The figures are geometric means over tasks
of the median seed / the median seed of the worst task / the worst seed of all.

The constants of the rules were chosen on the tasks of the first part alone: on the first 13, and
what a longer run over few examples needs on the nine small ones. The second and the third part had
been looked at before. The second had shown two faults, each on one task, which were mended: the
search for the best rate went down where no loss had risen, and it compared noisy trainings with too
few losses of before. Both parts had shown that long runs over few examples need lower peaks, which
is why the small tasks were added. The fourth part was written before the last constants were
chosen, and scored once, after that.

The losses of the truth are [on record](../../benchmarks/results/suggestions_truth.npz): `python -m
benchmarks.suggestions.truth` takes about 7 seconds for a task on an H100.

By default a test may make three times the updates of its ramp, and makes them where it is
uncertain: trainings at constant rates around the suggestion, of 50, 66 and 133 updates.
`refine=True` adds such trainings of 100 updates in any case, up to 1000 updates, the best of them
on two orders of the batches.
"""


def cell(found: Figures) -> str:
    shown = [number(value) for value in found[1:3]]
    return f"**{found.mean:.2f}** / {' / '.join(shown)}"


def number(value: float) -> str:
    return f"{value:.3g}" if value < 1000.0 else f"{value:.0e}"


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def name_of(method: str) -> str:
    return NAMES.get(method, f"{method}")


def page(known: Suggestions) -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD.format(n=len(known.truth)),
            "## The aims\n",
            table(["", "aim", *known.parts.values()], aims(known)),
            behind(known),
            "![The scores over the length of the ramp]"
            "(../../benchmarks/results/range_test_quality.svg)\n\n"
            "Scores above 4 leave the figure.\n",
            "## At a constant rate\n\nScores are means over runs of 100 and of 300 updates.\n",
            *(of_part(known, part) for part in known.parts),
            ahead(known),
            bands(known),
            "## Each task\n\nThe median seed at a constant rate, from ramps of 200 updates.\n",
            table(["task", *map(name_of, SHOWN)], each(known)),
        ]
    )


def aims(known: Suggestions) -> Iterator[Sequence[str]]:
    """A row for each aim, with the figure of each part, and whether it is met."""

    def row(what: str, aim: str, found: Callable[[list[str]], tuple[str, bool]]) -> Sequence[str]:
        cells = [found(known.names_of(part)) for part in known.parts]
        return [what, aim, *(text if met else f"{text} (missed)" for text, met in cells)]

    def means(method: str, goal: float) -> Callable[[list[str]], tuple[str, bool]]:
        def found(names: list[str]) -> tuple[str, bool]:
            values = [known.figures(names, method, steps).mean for steps in STEPS]
            return " / ".join(f"{value:.3f}" for value in values), max(values) <= goal

        return found

    def worst(method: str, goal: float) -> Callable[[list[str]], tuple[str, bool]]:
        def found(names: list[str]) -> tuple[str, bool]:
            values = [known.figures(names, method, steps).worst_seed for steps in STEPS]
            return " / ".join(map(number, values)), max(values) <= goal

        return found

    def peaks(names: list[str]) -> tuple[str, bool]:
        values = {
            length: known.figures(names, "default", 200, f"warmup_cosine {length}").mean
            for length in LENGTHS
        }
        met = all(value <= PEAK_GOALS[length] for length, value in values.items())
        return " / ".join(f"{value:.3f}" for value in values.values()), met

    def refused(names: list[str]) -> tuple[str, bool]:
        values = [known.figures(names, "default", steps).refused for steps in STEPS]
        return f"{sum(values)} of {len(names) * len(SEEDS) * len(STEPS)}", not any(values)

    def in_band(names: list[str]) -> tuple[str, bool]:
        values = [known.in_band(names, "default", steps) for steps in STEPS]
        met = all(BAND_GOAL[0] <= value <= BAND_GOAL[1] for value in values)
        return " / ".join(f"{value:.0%}" for value in values), met

    def leading(names: list[str]) -> tuple[str, bool]:
        found = list(ahead_of_us(known, names))
        return ("no" if found else "yes"), not found

    lengths = " / ".join(map(str, STEPS))
    yield row(f"constant rate, ramps of {lengths}", "1.06", means("default", CONSTANT_GOAL))
    yield row("the same, refined", "1.04", means("refine", REFINED_GOAL))
    yield row("its worst seed", "2", worst("default", WORST_GOAL))
    yield row("its worst seed, refined", "1.5", worst("refine", WORST_REFINED_GOAL))
    runs = " / ".join(map(str, LENGTHS))
    goals = " / ".join(map(str, PEAK_GOALS.values()))
    yield row(f"peak of a warmup and a cosine of {runs} updates, ramp of 200", goals, peaks)
    yield row("refused", "0", refused)
    yield row("ahead of all other rules, at every ramp and run", "yes", leading)
    yield row("best rate in the 80 % band", "75 to 90 %", in_band)


def ahead_of_us(known: Suggestions, names: list[str]) -> Iterator[str]:
    """Where another library's rule is better than the test as it is."""
    runs = ["constant", *(f"{shape} {length}" for shape in SHAPES for length in LENGTHS)]
    for run in runs:
        for steps in STEPS if run == "constant" else (200,):
            ours = known.figures(names, "default", steps, run).mean
            for peer in PEERS:
                theirs = known.figures(names, peer, steps, run).mean
                if theirs < ours:
                    yield f"{peer} for {run} from {steps} updates ({theirs:.3f} beside {ours:.3f})"


def behind(known: Suggestions) -> str:
    found = {part: list(ahead_of_us(known, known.names_of(part))) for part in known.parts}
    lines = [f"{known.parts[part]}: {'; '.join(each)}." for part, each in found.items() if each]
    return f"Ahead of ours: {' '.join(lines)}\n" if lines else ""


def of_part(known: Suggestions, part: str) -> str:
    """The scores at a constant rate of all methods, over the tasks of a part."""
    names = known.names_of(part)
    truths = [known.truth[name] for name in names]
    floor = float(np.exp(np.mean([truth.floors["constant"] for truth in truths])))
    least = float(np.exp(np.mean([truth.curves["constant"].scores.min() for truth in truths])))

    def rows() -> Iterator[Sequence[str]]:
        for method in METHODS:
            found = [known.figures(names, method, steps) for steps in STEPS]
            used = [known.updates(names, method, steps)[0] for steps in STEPS]
            yield [
                name_of(method),
                *map(cell, found),
                " ".join(str(each.refused) for each in found),
                " ".join(f"{each:.0f}" for each in used),
            ]

    head = ["rule", *(f"ramp of {steps}" for steps in STEPS), "refused", "updates, mean"]
    return (
        f"### {known.parts[part]}\n\n{', '.join(names)}.\n\n"
        f"{len(names) * len(SEEDS)} tests of each length. As runs of 100 and of 300 updates want "
        f"different rates, the best rate for both scores {least:.3f}; that of half of the truth's "
        f"seeds scores {floor:.3f} by the other half.\n\n"
        f"{table(head, rows())}"
    )


def ahead(known: Suggestions) -> str:
    """What is known of the run ahead."""

    def rows() -> Iterator[Sequence[str]]:
        for shape in ("constant", *SHAPES):
            for length in LENGTHS:
                run = f"{shape} {length}"
                cells = []
                for part in known.parts:
                    names = known.names_of(part)
                    ours = known.figures(names, "default", 200, run).mean
                    untold = known.figures(names, "default", 200, run, told=False).mean
                    refined = known.figures(names, "refine", 200, run).mean
                    peer = min(known.figures(names, each, 200, run).mean for each in PEERS)
                    factor, best = known.best_factor(names, run)
                    cells.append(
                        f"**{ours:.2f}** / {untold:.2f} / {refined:.2f} / {peer:.2f}; {best:.2f} "
                        f"at {factor:.2g}"
                    )
                yield [shape, str(length), *cells]

    over = {length: known.overfitting(known.truth, f"warmup_cosine {length}") for length in LENGTHS}
    lines = [f"- {length} updates: {', '.join(each) or 'none'}." for length, each in over.items()]
    return (
        "## For the run ahead\n\nFrom ramps of 200 updates: the score of the suggestion for this "
        "run, told its shape, its length and how many updates a pass over the data takes / the "
        "same, not told the passes / told all, and refined / the best rule of another library; and "
        "what the best single factor to the first would give this part in hindsight, with that "
        "factor.\n\n"
        f"{table(['shape', 'updates', *known.parts.values()], rows())}\n"
        "Most tasks have few examples, so that runs of 2400 updates pass over them 10 to 2400 "
        "times. On tasks that over-fit, a longer run needs a lower peak for the loss held out, "
        f"and a higher one for that in training. The best peaks are more than {OVERFITS:g} decades "
        "apart in runs of a warmup and a cosine on these tasks:\n\n" + "\n".join(lines) + "\n"
    )


def bands(known: Suggestions) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for method in ("default", "refine", "ramp"):
            for part, title in known.parts.items():
                inside = [known.in_band(known.names_of(part), method, steps) for steps in STEPS]
                yield [name_of(method), title, *(f"{each:.0%}" for each in inside)]

    head = ["", "", *(f"ramp of {steps}" for steps in STEPS)]
    return (
        "## The band\n\nHow often the best constant rate (over runs of 100 and 300 updates) lies "
        f"in the band, which is meant for 80 %.\n\n{table(head, rows())}"
    )


def each(known: Suggestions) -> Iterator[Sequence[str]]:
    for name in known.truth:
        curve = known.truth[name].curves["constant"]
        scores = [
            float(np.exp(np.median(curve.at(known.rates(name, method, 200))))) for method in SHOWN
        ]
        yield [name, *(f"{score:.2f}" for score in scores)]


def figure(known: Suggestions, path: Path) -> None:
    """The mean score of each rule over the length of the ramp."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "lrsched"
    from matplotlib import pyplot as plt

    picture, axes = plt.subplots(
        1,
        len(known.parts),
        figsize=(1.5 + 3.5 * len(known.parts), 4.8),
        sharey=True,
        layout="constrained",
    )
    for part, plot in zip(known.parts, axes, strict=True):
        for method in METHODS:
            means = [known.figures(known.names_of(part), method, steps).mean for steps in STEPS]
            ours = method in ("default", "refine")
            color = "k" if method == "default" else f"C{METHODS.index(method) % 10}"
            style: dict[str, Any] = {"lw": 2 if ours else 1, "color": color}
            plot.plot(
                *(
                    list(map(str, STEPS)),
                    means,
                    "o-" if ours else ".--" if METHODS.index(method) <= 10 else ".:",
                ),
                label=name_of(method).replace("`", ""),
                **style,
            )
        plot.set(
            yscale="log", ylim=(0.99, 4.2), title=known.parts[part], xlabel="updates of the ramp"
        )
        plot.minorticks_off()
        plot.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes[0].set_ylabel("loss held out / best")
    axes[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    picture.savefig(path, metadata={"Date": None})
    plt.close(picture)

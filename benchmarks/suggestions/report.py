"""The page and the figure of `benchmarks.suggestions.quality`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LENGTHS = ("100", "200", "400")
DEFAULT_PROBE = "default, probe of 40 x 2"
TICKS = (1, 1.1, 1.25, 1.5, 2, 3, 5, 10)

HEAD = """# How good the suggestions of range tests are

Made by `make quality`; do not edit.

Range tests from 1e-7 to 10 in 100, 200 and 400 updates, ten seeds each. The score of a suggested
rate is the loss held out after training at it, as a constant rate, over that at the best of 25
rates from 1e-5 to 10 (truth: geometric means over twelve other seeds, at 100 and at 300 updates;
at worst 4 times the loss before training). A cell has the **geometric mean** over tasks and seeds /
the median of the worst task / the worst seed. All rules are scored on the curves for which the
default has an answer; *refused* counts those among them for which the rule has none. *sd* is the
mean standard deviation of log10 of the suggestion over seeds, *shift* how much it changes from
100 to 400 updates.

A probe of 40 x 2, the default, trains about 7 rates for 40 updates, twice, on two orders of the
batches, on top of the sweep. It goes on until the best rate is bracketed, but for "one round".

The aims were: the default at most 1.08, its worst seed at most 2 and its shift at most 2; with the
probe at most 1.03, its worst seed at most 1.3; and no other rule ahead of it. The *floor* is what
the truth itself gives: the best rate by six of its seeds, scored by the other six.
"""


def rows(found: dict[str, Any], half: str) -> list[str]:
    lines = []
    for rule, halves in found["rules"].items():
        figures = halves[half]
        cells = [figures["lengths"][length] for length in LENGTHS]
        shown = [
            f"**{c['mean']:.2f}** / {number(c['worst task'])} / {number(c['worst seed'])}"
            for c in cells
        ]
        refused = " ".join(str(cell["refused"]) for cell in cells)
        lines.append(
            f"| {rule} | {' | '.join(shown)} | {figures['spread']:.2f} | "
            f"{figures['shift']:.1f} | {refused} |"
        )
    return lines


def aims(found: dict[str, Any], half: str) -> str:
    """Which of the aims are met, in words."""
    default, probe = (found["rules"][rule][half] for rule in ("default", DEFAULT_PROBE))
    lengths, probed = (tuple(x["lengths"].values()) for x in (default, probe))
    ahead = [
        f"{rule} at {length}"
        for length in LENGTHS
        for rule, halves in found["rules"].items()
        if not rule.startswith("default")
        and halves[half]["lengths"][length]["mean"] < default["lengths"][length]["mean"]
    ]
    checks = {
        "the default's mean": max(cell["mean"] for cell in lengths) <= 1.08,
        "its worst seed": max(cell["worst seed"] for cell in lengths) <= 2.0,
        "its shift": default["shift"] <= 2.0,
        "the probe's mean": max(cell["mean"] for cell in probed) <= 1.03,
        "the probe's worst seed": max(cell["worst seed"] for cell in probed) <= 1.3,
        "no other rule ahead": not ahead,
    }
    met, missed = (
        ", ".join(k for k, v in checks.items() if v is is_met) for is_met in (True, False)
    )
    behind = f" Ahead of the default: {', '.join(ahead)}." if ahead else ""
    return f"Aims met: {met or 'none'}; missed: {missed or 'none'}.{behind}"


def number(value: float) -> str:
    return f"{value:.3g}" if value < 1000.0 else f"{value:.0e}"


def page(found: dict[str, Any]) -> str:
    """The tables in Markdown."""
    parts = [HEAD]
    titles = {
        "tuned": "Tasks that chose the constants",
        "reported": "Tasks that chose nothing",
    }
    for half, title in titles.items():
        names, refused = found["halves"][half], found["refused by the default"][half]
        parts.append(f"\n## {title}\n\n{', '.join(names)}.\n")
        counts = ", ".join(map(str, refused))
        parts.append(
            f"\nOf {10 * len(names)} curves of each length the default refuses {counts}.\n\n"
            f"Floor: {found['floor'][half]:.3f}. {aims(found, half)}\n\n"
            "| rule | 100 updates | 200 | 400 | sd | shift | refused |\n"
            f"{'|---' * 7}|\n"
        )
        parts.append("\n".join(rows(found, half)) + "\n")
    parts.append("\n## Each task\n\nGeometric mean over seeds, 200 updates.\n\n")
    parts.append(each(found))
    flat = found["flat"]
    parts.append(
        f"\nOn the flat beginnings (rates below 1e-5) of {flat['curves']} curves the default "
        f"suggests a rate {flat['suggestions']} times.\n"
    )
    return "".join(parts)


def each(found: dict[str, Any]) -> str:
    """A table of tasks by rules."""
    chosen = ["default", "ignite", "minimum", "valley", DEFAULT_PROBE]
    lines = ["| task | " + " | ".join(chosen) + " |", "|---" * (len(chosen) + 1) + "|"]
    for half, names in found["halves"].items():
        for name in names:
            values = [found["tasks"][rule][name][1] for rule in chosen]
            shown = ["refused" if value != value else f"{value:.2f}" for value in values]
            star = "" if half == "tuned" else "*"
            lines.append(f"| {name}{star} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n\n\\* chose nothing.\n"


def figure(found: dict[str, Any], path: Path) -> None:
    """The mean score of each rule over the length of the test."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "lrsched"
    from matplotlib import pyplot as plt

    picture, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for half, plot in zip(found["halves"], axes, strict=True):
        for rule, halves in found["rules"].items():
            if "probe" in rule and rule != DEFAULT_PROBE:
                continue
            means = [halves[half]["lengths"][length]["mean"] for length in LENGTHS]
            ours = rule.startswith("default")
            plot.plot(LENGTHS, means, "o-" if ours else ".--", label=rule, lw=2 if ours else 1)
        plot.set(yscale="log", ylim=(0.97, 16.0), title=f"{half} tasks", xlabel="updates")
        plot.minorticks_off()
        plot.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes[0].set_ylabel("loss held out / best")
    axes[1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    picture.savefig(path, metadata={"Date": None})
    plt.close(picture)

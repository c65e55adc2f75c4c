"""The worst error of each schedule in float32, compiled by JAX, against exact values.

    python -m benchmarks.ulp [--schedules N] [--counts N] [--seed N]

draws hyperparameters for every schedule of the registry and counts from 0 to 2**31 - 1 for each,
and prints the worst error of each in units of the last place.
"""

import argparse

import numpy as np
from hypothesis import Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from lrsched import Schedule
from tests.strategies import BY_NAME
from tests.ulp import telling_counts, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=40, help="drawn for each name")
    parser.add_argument("--counts", type=int, default=200, help="of each kind, for each schedule")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    print(f"{'schedule':<20}{'worst (ulp)':>12}  at count")
    for name, strategy in BY_NAME.items():
        found = []
        for schedule in draws(strategy, options.schedules, options.seed):
            counts = telling_counts(schedule, generator, options.counts)
            found.append((*worst(schedule, counts), schedule))
        error, count, schedule = max(found, key=lambda entry: entry[0])
        print(f"{name:<20}{error:>12.2f}  {count} of {schedule}", flush=True)


def draws(strategy: SearchStrategy[Schedule], number: int, start: int) -> list[Schedule]:
    """That many schedules of a strategy, the same for the same start."""
    found: list[Schedule] = []

    @seed(start)
    @settings(max_examples=number, database=None, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def collect(schedule: Schedule) -> None:
        found.append(schedule)

    collect()
    return found


if __name__ == "__main__":
    main()

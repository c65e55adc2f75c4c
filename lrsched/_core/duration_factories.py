"""The functions that make durations: fractions of a run, epochs, examples, tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

from lrsched._core.checks import Refusal
from lrsched._core.durations import ROUND, UNITS, Duration, Round, Term
from lrsched._core.number_kinds import amount

_amount = amount(">= 0")


def run_fraction(fraction: SupportsFloat, round: Round | None = None) -> Duration:
    """A fraction of the whole run: `fraction * total_steps` steps.

    It can be given wherever a schedule takes steps. `schedule.resolve(total_steps=...)` turns it
    into steps: exactly, or rounded to a whole number by `round`.

    Durations of all units can be added and subtracted, with each other and with numbers of steps.
    Each term is rounded by itself, so a warmup of `run_fraction(0.1, round="up")` and a decay of
    `run_fraction(1.0) - run_fraction(0.1, round="up")` add up to the run.

    Args:
        fraction: the fraction of the run, 0 or more; 1 is the whole run.
        round: "up" or "down" to a whole number of steps, or to the "nearest", half to even; by
            default only where the schedule takes nothing but an integer, to the nearest.

    Raises:
        TypeError: `fraction` is not a Python number, or `round` is not a string.
        ValueError: `fraction` is not finite or < 0, or `round` is none of the three.

    Elsewhere: Composer's "0.1dur", big_vision's `warmup_percent`; levanter's `warmup=0.1`, where
    the size of the number tells a fraction from a number of steps. transformers rounds its
    `warmup_ratio` up, NeMo and MaxText round down.

    >>> from lrsched import cosine_decay, warmup
    >>> begin = run_fraction(0.1, round="up")
    >>> recipe = warmup(cosine_decay(0.1, run_fraction(1.0) - begin), begin)
    >>> recipe.resolve(total_steps=777)
    warmup(schedule=cosine_decay(init_value=0.1, decay_steps=699), warmup_steps=78)
    >>> warmup(cosine_decay(0.1, 100), run_fraction(0.1)).resolve(total_steps=777)
    warmup(schedule=cosine_decay(init_value=0.1, decay_steps=100), warmup_steps=77.7)
    """
    return _amount_of("run", "fraction", fraction, round)


def epochs(number: SupportsFloat, round: Round | None = None) -> Duration:
    """A number of epochs: `number * steps_per_epoch` steps; sums and `round` as in `run_fraction`.

    `schedule.resolve(steps_per_epoch=len(loader))` turns it into steps.

    Args:
        number: the number of epochs, 0 or more; it need not be whole.
        round: as in `run_fraction`.

    Raises:
        TypeError: `number` is not a Python number, or `round` is not a string.
        ValueError: `number` is not finite or < 0, or `round` is none of the three names.

    Elsewhere: Composer's "10ep", big_vision's `warmup_epochs`. `from_epochs` reads a whole recipe
    whose plain integers are epochs.

    >>> from lrsched import step_decay
    >>> step_decay(0.1, 0.1, epochs(30)).resolve(steps_per_epoch=782)
    step_decay(init_value=0.1, decay_rate=0.1, step_size=23460)
    """
    return _amount_of("epochs", "number", number, round)


def examples(number: SupportsFloat, round: Round | None = None) -> Duration:
    """A number of training examples: `number / batch_size` steps; else as `run_fraction`.

    `schedule.resolve(batch_size=...)` turns it into steps.

    Args:
        number: the number of examples, 0 or more.
        round: as in `run_fraction`.

    Raises:
        TypeError: `number` is not a Python number, or `round` is not a string.
        ValueError: `number` is not finite or < 0, or `round` is none of the three names.

    Elsewhere: Composer's "50000sp" (samples), big_vision's `warmup_examples`, Megatron's
    `--lr-warmup-samples`. If the batch size grows, as with Megatron's `--rampup-batch-size`, pass
    the schedule of it: `schedule.resolve(batch_size=rampup_batch_size(...))`.

    >>> from lrsched import linear
    >>> linear(1.0, 0.0, examples(1_000_000)).resolve(batch_size=256)
    linear(init_value=1.0, end_value=0.0, steps=3906.25)
    """
    return _amount_of("examples", "number", number, round)


def tokens(number: SupportsFloat, round: Round | None = None) -> Duration:
    """A number of training tokens: `number / tokens_per_step` steps; else as `run_fraction`.

    `schedule.resolve(tokens_per_step=...)` turns it into steps.

    Args:
        number: the number of tokens, 0 or more.
        round: as in `run_fraction`.

    Raises:
        TypeError: `number` is not a Python number, or `round` is not a string.
        ValueError: `number` is not finite or < 0, or `round` is none of the three names.

    Elsewhere: Composer's "2000000000tok", Megatron-DeepSpeed's `--lr-decay-tokens`.

    >>> from lrsched import linear
    >>> linear(1.0, 0.0, tokens(2e9, round="down") - 100).resolve(tokens_per_step=2048 * 512)
    linear(init_value=1.0, end_value=0.0, steps=1807)
    """
    return _amount_of("tokens", "number", number, round)


DURATION_FACTORIES: Mapping[str, Callable[..., Duration]] = {
    "run_fraction": run_fraction,
    "epochs": epochs,
    "examples": examples,
    "tokens": tokens,
}


def _amount_of(unit: str, parameter: str, value: Any, rounding: Any) -> Duration:
    refuse = Refusal(UNITS[unit].factory)
    size, rounding = refuse.checked(**{parameter: (_amount, value), "round": (ROUND, rounding)})
    return Duration((Term(size, unit, rounding),))

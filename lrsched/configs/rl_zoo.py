"""rl-baselines3-zoo: the hyperparameters of one environment.

    {n_timesteps: 1e5, policy: MlpPolicy, learning_rate: lin_0.001, clip_range: lin_0.2}

The schedule counts timesteps of the environment, as stable-baselines3 measures its progress.
`lrsched.remaining_progress` makes of it what stable-baselines3 takes.
"""

from collections.abc import Mapping
from typing import Any

from lrsched._core.duration_factories import run_fraction
from lrsched._core.schedule import Schedule
from lrsched.configs.section import Format, Section
from lrsched.schedules.ramp import constant, linear

LINEAR = "lin_"
KEYS = {"lr": "learning_rate", "clip_range": "clip_range", "clip_range_vf": "clip_range_vf"}


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a run of `n_timesteps` with a policy, or a value such as "lin_0.1"."""
    values = (config.get(key) for key in KEYS.values())
    is_linear = any(isinstance(x, str) and x.startswith(LINEAR) for x in values)
    return is_linear or ("n_timesteps" in config and "policy" in config)


def read(config: Section) -> Schedule:
    """The schedule of the learning rate, or of a clip range."""
    key = KEYS[config.part]
    context = "learning_rate" if config.part == "lr" else None
    text = config.entries.get(key)
    if not (isinstance(text, str) and text.startswith(LINEAR)):
        return constant(config.number(key, ">= 0", context=context))
    entries = dict(config.entries) | {key: text.removeprefix(LINEAR)}
    peak = Section(entries, config.title, config.context, config.part).number(key, ">= 0")
    total = config.amount("n_timesteps", 1, default=None, context="total_steps")
    return linear(peak, 0.0, run_fraction(1.0) if total is None else total)


FORMAT = Format(
    "rl_zoo", "rl-baselines3-zoo", recognises, read, parts=("clip_range", "clip_range_vf")
)

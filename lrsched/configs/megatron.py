"""Megatron-LM: its arguments, as a namespace or as YAML with the same keys.

    {"lr": 3e-4, "min_lr": 3e-5, "lr_decay_style": "cosine", "train_iters": 5e5,
     "lr_warmup_iters": 2000, "global_batch_size": 1024}

Keys may have "-" for "_", and "--" before them. Megatron counts in samples, in a run of
`train_samples` as in one of `train_iters`; with one batch size, a length in iterations stays what
it is, and with a size that changes (`rampup_batch_size`, `step_batch_size_schedule`) it is so many
global batches. Lengths in samples stay `examples` unless the size is there. From the iteration
after `lr_decay_iters` on, the rate is `min_lr`.

The part "weight_decay" is the weight decay, and "decoupled_lr" the rate of the embedding and the
output layer.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from lrsched._core.duration_factories import examples
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import underscored
from lrsched.configs.megatron_sizes import changing_batch_size
from lrsched.configs.section import Format, Section
from lrsched.schedules.combine import join, warmup
from lrsched.schedules.decay import cosine_decay
from lrsched.schedules.inverse import inverse_sqrt, power_law
from lrsched.schedules.ramp import constant, linear
from lrsched.schedules.transform import advance, cooldown, delay, maximum

KEYS = {
    "lr_decay_style",
    "lr_decay_iters",
    "lr_decay_samples",
    "lr_warmup_iters",
    "lr_warmup_samples",
    "lr_warmup_fraction",
    "lr_wsd_decay_iters",
    "lr_wsd_decay_samples",
}
ELSEWHERE = {
    "lr_decay_tokens": "as it is one of Megatron-DeepSpeed",
    "lr_warmup_tokens": "as it is one of Megatron-DeepSpeed",
    "warmup": "as Megatron takes lr_warmup_fraction instead",
}


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a rate with the length or the style of its decay or its warmup."""
    keys = set(map(underscored, config))
    is_neox = isinstance(config.get("optimizer"), Mapping)
    return "lr" in keys and bool(keys & KEYS) and not is_neox


def read(config: Section) -> Schedule:
    """The schedule of the learning rate, of the decoupled one or of the weight decay."""
    config = config.underscored()
    for key, reason in ELSEWHERE.items():
        if key in config:
            config.refuse(key, f"left out, {reason}", config.value(key))
    lengths = Lengths(config)
    if config.part == "weight_decay":
        schedule = _weight_decay(config, lengths)
    else:
        schedule = _rate(config, lengths)
    if lengths.ramp is not None and not schedule.is_resolved:
        return schedule.resolve(batch_size=lengths.ramp)
    size = config.number("global_batch_size", "> 0", default=None, context="batch_size")
    return schedule.resolve(batch_size=size)


class Lengths:
    """The lengths of a run in its own unit, iterations or samples."""

    def __init__(self, config: Section) -> None:
        self.config = config
        self.in_samples = "train_samples" in config and (
            "train_iters" not in config or "lr_decay_samples" in config
        )
        if "train_samples" in config and not self.in_samples:
            config.fail("train_iters and train_samples are both there")
        self.ramp = changing_batch_size(config)
        self.unit = "samples" if self.in_samples else "iters"
        other = "iters" if self.in_samples else "samples"
        for key in (f"lr_decay_{other}", f"lr_warmup_{other}"):
            if config.amount(key, default=0):
                reason = f"left out, as the run is one of train_{self.unit}"
                config.refuse(key, reason, config.value(key))

    def __call__(self, name: str, default: Any) -> Any:
        """What is under a key such as `lr_decay_iters`."""
        return self.config.amount(f"{name}_{self.unit}", default=default)

    def run(self) -> int:
        """The length of the run."""
        context = None if self.in_samples else "total_steps"
        return int(self.config.amount(f"train_{self.unit}", 1, context=context))

    def decay(self) -> int:
        """The length of the warmup and the decay together."""
        decay = self("lr_decay", None)
        return self.run() if decay is None else int(decay)

    def warmup(self) -> Any:
        """The length of the warmup."""
        up, share = self("lr_warmup", 0), "lr_warmup_fraction"
        if share not in self.config:
            return up
        if up:
            self.config.fail(f"{share} and lr_warmup_{self.unit} are both there")
        return float(self.config.number(share, ">= 0", "< 1") * self.decay())

    def steps(self, length: float) -> Any:
        """A length as steps, which for samples are yet to be known."""
        if self.ramp is not None and not self.in_samples:
            return examples(length * self.batch_size()) if length else 0
        return examples(length) if self.in_samples and length else length

    def after(self, length: float) -> Any:
        """Where the first step beyond a length begins."""
        if self.ramp is not None and not self.in_samples:
            length *= self.batch_size()
        beyond = math.floor(length) + 1
        return examples(beyond) if self.in_samples or self.ramp is not None else beyond

    def batch_size(self) -> int:
        """The global batch size, the last one of a ramp."""
        return int(self.config.integer("global_batch_size", 1, context="batch_size"))


def _rate(config: Section, lengths: Lengths) -> Schedule:
    style = config.choice("lr_decay_style", tuple(STYLES), default="linear")
    peak, low = _levels(config)
    start = config.number("lr_warmup_init", ">= 0", default=0.0)
    up = lengths.warmup()
    if style == "constant":
        return _warmed(constant(peak), lengths.steps(up), start)
    total = lengths.decay()
    if up >= total:
        config.fail(f"the warmup ({up:g}) must be shorter than the decay ({total} with the warmup)")
    return STYLES[style](config, lengths, (start, peak, low), up)


def _levels(config: Section) -> tuple[float, float]:
    """The highest and the lowest rate."""
    low = config.number("min_lr", ">= 0", default=0.0)
    peak = config.number("lr", ">= 0", context="learning_rate")
    if config.part == "decoupled_lr":
        peak = config.number("decoupled_lr", ">= 0")
        low = config.number("decoupled_min_lr", ">= 0", default=low)
    if low > peak:
        config.fail(f"the lowest rate ({low:g}) must be at most the highest ({peak:g})")
    return peak, low


Levels = tuple[float, float, float]  # before the warmup, after it, and at the end


def _linear(config: Section, lengths: Lengths, levels: Levels, up: float) -> Schedule:
    start, peak, low = levels
    decay = linear(peak, low, lengths.steps(lengths.decay() - up))
    return _warmed(decay, lengths.steps(up), start)


def _cosine(config: Section, lengths: Lengths, levels: Levels, up: float) -> Schedule:
    start, peak, low = levels
    decay = cosine_decay(peak, lengths.steps(lengths.decay() - up), low)
    return _warmed(decay, lengths.steps(up), start)


def _inverse_sqrt(config: Section, lengths: Lengths, levels: Levels, up: float) -> Schedule:
    start, peak, low = levels
    steps = lengths.steps(up)
    if up:
        decay = inverse_sqrt(peak, steps)
    else:  # it is that of the sample
        if lengths.ramp is not None:
            config.fail("inverse-square-root without a warmup has no formula with a batch ramp")
        size = config.number("global_batch_size", ">= 1", context="batch_size")
        decay = power_law(peak, peak, -0.5, size)
    floored = _warmed(maximum(decay, low) if low else decay, steps, start)
    return join([floored, constant(low)], [lengths.after(lengths.decay())])


def _wsd(config: Section, lengths: Lengths, levels: Levels, up: float) -> Schedule:
    start, peak, low = levels
    total, down = lengths.decay(), lengths("lr_wsd_decay", None)
    if down is None:
        config.fail(f"lr_wsd_decay_{lengths.unit} is missing")
    if not 1 <= down <= total:
        key = f"lr_wsd_decay_{lengths.unit}"
        config.refuse(key, f"from 1 to the whole decay ({total})", down)
    shape = WSD_SHAPES[config.choice("lr_wsd_decay_style", tuple(WSD_SHAPES), "exponential")]
    flat, steps = total - down, lengths.steps
    if flat >= up:
        decay = cooldown(constant(peak), steps(flat - up), steps(down), low, shape)
        return _warmed(decay, steps(up), start)
    decay = cooldown(constant(peak), steps(flat), steps(down), low, shape)
    first = lengths.after(up)
    return join([linear(start, peak, steps(up)), advance(decay, first)], [first])


WSD_SHAPES: Mapping[str, Any] = {
    "exponential": "exponential",
    "linear": "linear",
    "cosine": "cosine",
    "minus_sqrt": "1-sqrt",
}
STYLES: Mapping[str, Callable[[Section, Lengths, Levels, float], Schedule]] = {
    "constant": _linear,
    "linear": _linear,
    "cosine": _cosine,
    "inverse-square-root": _inverse_sqrt,
    "WSD": _wsd,
}


def _warmed(schedule: Schedule, up: Any, start: float) -> Schedule:
    if isinstance(up, float) and 0 < up < 1:  # the first update is in the warmup, and no other
        return warmup(advance(delay(schedule, up + 1), 1), 1, start, mode="over")
    return warmup(schedule, up, start) if up else schedule


def _weight_decay(config: Section, lengths: Lengths) -> Schedule:
    style = config.choice(
        "weight_decay_incr_style", ("constant", "linear", "cosine"), default="constant"
    )
    if style == "constant":
        value = config.number("weight_decay", ">= 0", default=0.01)
        for key in ("start_weight_decay", "end_weight_decay"):
            other = config.number(key, ">= 0", default=value)
            if other != value:
                config.refuse(key, f"weight_decay ({value:g}), as it is constant", other)
        return constant(value)
    begin = config.number("start_weight_decay", ">= 0")
    end = config.number("end_weight_decay", ">= 0")
    whole = lengths.steps(lengths.run())
    return cosine_decay(begin, whole, end) if style == "cosine" else linear(begin, end, whole)


FORMAT = Format("megatron", "Megatron-LM", recognises, read, parts=("decoupled_lr", "weight_decay"))

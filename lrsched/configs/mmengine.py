"""mmengine: the `param_scheduler` of its configuration, with `optim_wrapper` and `train_cfg`.

    param_scheduler = [
        dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
        dict(type="MultiStepLR", by_epoch=True, milestones=[8, 11], gamma=0.1),
    ]

Each scheduler changes what the others have left, at its steps from `begin` to `end - 1`; those with
`by_epoch` make theirs between epochs, unless they are converted to iterations. One that has an
`eta_min` or sets a value of its own must not share its time with others. A plateau is shown the
`monitor` of each validation. Groups of parameters with an `lr_mult` have the schedule times that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from lrsched._core.schedule import Schedule
from lrsched.configs.entries import is_list
from lrsched.configs.mmengine_curves import CURVES, Clock, Curve
from lrsched.configs.mmengine_plateau import first_cut, plateau
from lrsched.configs.section import Format, Result, Section
from lrsched.schedules.combine import join, then_scale
from lrsched.schedules.ramp import constant
from lrsched.schedules.transform import delay

PLATEAU = "ReduceOnPlateau"
NAMES = {"lr": "LR", "momentum": "Momentum"}
ANY_SIZE = 1000  # updates of an epoch, where any number of them gives the same


class Part(NamedTuple):
    """A scheduler, and whether it goes on to the end of the run."""

    section: Section
    clock: Clock
    curve: Curve
    is_last: bool


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether there is a `param_scheduler`, with types."""
    found: Any = config.get("param_scheduler")
    items = found if is_list(found) else [found]
    return bool(items) and all(isinstance(item, Mapping) for item in items)


def read(config: Section) -> Result:
    """The schedule of the learning rate, or of the momentum (the first beta of Adam)."""
    hooks = config.section("default_hooks", default={})
    hook = hooks.section("param_scheduler", default={"type": "ParamSchedulerHook"})
    if _type_of(hook) != "ParamSchedulerHook":
        hook.refuse("type", "'ParamSchedulerHook'", _type_of(hook))
    found = config.value("param_scheduler")
    if isinstance(found, Mapping) and "type" not in found:
        reason = "a scheduler or a list of them (for several optimizers, those of one)"
        config.refuse("param_scheduler", reason, found)
    base = _base(config)
    items = [(_kind(config, item), item) for item in config.sections("param_scheduler")]
    followers = [item for kind, item in items if kind == PLATEAU]
    others = [(kind, item) for kind, item in items if kind not in (None, PLATEAU)]
    found = [_part(config, item, str(kind), base) for kind, item in others]
    parts = [part for part in found if part is not None]
    if followers:
        return _with_plateau(config, followers, parts, base)
    return _chained(config, parts, base)


def _base(config: Section) -> float:
    """The value of the optimizer."""
    wrapper = config.section("optim_wrapper", default={})
    counts = wrapper.integer("accumulative_counts", 1, default=1)
    if counts != 1:
        reason = "1, as the schedulers count iterations, of which several make an update"
        wrapper.refuse("accumulative_counts", reason, counts)
    optimizer = wrapper.section("optimizer", default={})
    if config.part == "momentum":
        if "betas" in optimizer:
            return float(optimizer.numbers("betas", ">= 0")[0])
        return float(optimizer.number("momentum", ">= 0"))
    rate = optimizer.number("lr", ">= 0", context="learning_rate")
    scaling = config.section("auto_scale_lr", default={})
    if scaling.flag("enable", default=False):
        batch = config.given("batch_size", "auto_scale_lr is enabled")
        rate *= batch / scaling.number("base_batch_size", "> 0")
    return float(rate)


def _type_of(section: Section) -> str:
    """The name of the type, without its module; a class counts as its name."""
    value = section.value("type")
    name = getattr(value, "__name__", value)
    if not isinstance(name, str):
        section.refuse("type", "the name of a type", value, TypeError)
    return name.rpartition(".")[2]


def _kind(config: Section, section: Section) -> str | None:
    """The kind of a scheduler of the part that is read; None for one of another part."""
    name = _type_of(section)
    wanted = NAMES[config.part]
    if name.endswith("ParamScheduler"):
        kind = name.removesuffix("ParamScheduler")
        if section.text("param_name") != config.part:
            return None
    else:
        if name.endswith(tuple(x for x in (*NAMES.values(), "WeightDecay") if x != wanted)):
            return None
        kind = name.removesuffix(wanted)
    if kind not in (*CURVES, PLATEAU):
        known = ", ".join(f"{each}{wanted}" for each in (*CURVES, PLATEAU))
        section.refuse("type", f"one of {known}", name)
    return kind


def _part(config: Section, section: Section, kind: str, base: float) -> Part | None:
    """A scheduler of a kind; None for one without effect."""
    step = section.value("last_step", default=-1)
    if step != -1:
        section.refuse("last_step", "-1, as of a run from its beginning", step)
    clock, is_last = _clock(config, section)
    part = Part(section, clock, CURVES[kind](section, clock, base), is_last)
    section.close("verbose", "_scope_")
    return None if part.curve.at is constant else part


def _with_plateau(
    config: Section, followers: list[Section], parts: list[Part], base: float
) -> Result:
    """A plateau, and what multiplies it until its first cut can come."""
    follower, *further = followers
    for section in further:
        section.refuse("type", "no second plateau", _type_of(section))
    loop = config.section("train_cfg", default={})
    controller = plateau(follower, loop, base)
    if not parts:
        return controller
    reason = "what stands beside a plateau must have ended before its first cut"
    size = 1 if "max_iters" in loop else config.given("steps_per_epoch", reason)
    until = first_cut(loop, controller, size)
    for part in parts:
        if not part.curve.is_factor:
            expected = "one that multiplies, as it stands beside a plateau"
            part.section.refuse("type", expected, _type_of(part.section))
        if part.clock.updates(size)[1] > until:
            expected = f"within the {until} updates before a plateau's first cut"
            part.section.refuse("end", expected, part.clock.end)
    factor = _chained(config, parts, 1.0)
    left = factor.resolve(steps_per_epoch=size)(until)
    if not math.isclose(left, 1.0, rel_tol=1e-9):
        expected = "schedulers that leave the value as it was, beside a plateau"
        config.refuse("param_scheduler", expected, f"a factor of {left:g}")
    return factor * controller


def _clock(config: Section, section: Section) -> tuple[Clock, bool]:
    by_epoch = section.flag("by_epoch", default=True)
    is_converted = section.flag("convert_to_iter_based", default=False)
    if is_converted and not by_epoch:
        section.refuse("convert_to_iter_based", "False with by_epoch=False", is_converted)
    loop = config.section("train_cfg", default={})
    if by_epoch and not is_converted and "max_iters" in loop:
        reason = "False, or converted to iterations, as the loop is one of iterations"
        section.refuse("by_epoch", reason, True)
    whole = _whole_run(config, loop, by_epoch)
    if is_converted:
        begin = section.number("begin", ">= 0", default=0)
        end = section.number("end", "> 0", default=None)
    else:
        begin = section.integer("begin", default=0)
        end = section.integer("end", 1, default=None)
    if end is None:
        end = _required(config, loop, whole, by_epoch)
    if not end > begin:
        section.refuse("end", f"above begin ({begin})", end)
    return Clock(begin, end, by_epoch, is_converted), whole is not None and end >= whole


def _whole_run(config: Section, loop: Section, by_epoch: bool) -> float | None:
    """The epochs or the iterations of the run, if they are known."""
    epochs: int | None = loop.integer("max_epochs", 1, default=None)
    if by_epoch:
        return epochs
    if "max_iters" in loop or not epochs:
        iterations: int | None
        iterations = loop.integer("max_iters", 1, default=None, context="total_steps")
        return iterations
    size = config.context.get("steps_per_epoch")
    return None if size is None else int(epochs * size)


def _required(config: Section, loop: Section, whole: float | None, by_epoch: bool) -> float:
    if whole is not None:
        return whole
    if by_epoch:
        return float(loop.integer("max_epochs", 1))
    if "max_epochs" in loop:
        config.given("steps_per_epoch", "a scheduler of iterations has no end")
    return float(loop.integer("max_iters", 1, context="total_steps"))


def _chained(config: Section, parts: list[Part], base: float) -> Schedule:
    """The value that all schedulers together give."""
    for part in parts if len(parts) > 1 else []:
        if "OneCycle" in _type_of(part.section):
            part.section.refuse("type", "no OneCycleLR beside others", _type_of(part.section))
    if not parts:
        return constant(base)
    size = config.context.get("steps_per_epoch")
    if size is None and len({part.clock.in_epochs for part in parts}) == 1:
        size = ANY_SIZE
    if size is None and all(part.curve.is_factor for part in parts):
        return _product(parts, base, [part.clock.at(part.clock.begin) for part in parts])
    if size is None:
        size = config.given("steps_per_epoch", "the order of its schedulers depends on it")
    return _in_turn(config, _groups(parts, size), base, size)


def _groups(parts: list[Part], size: float) -> list[list[Part]]:
    """The schedulers by their time, those together whose times overlap."""
    groups: list[list[Part]] = []
    until = 0.0
    for part in sorted(parts, key=lambda each: each.clock.updates(size)[0]):
        begin, end = part.clock.updates(size)
        if not groups or begin >= until:
            groups.append([])
        groups[-1].append(part)
        until = max(until, end)
    for part in (part for group in groups if len(group) > 1 for part in group):
        if not part.curve.is_factor:
            reason = "a step at which no other scheduler acts, as this one does not just multiply"
            part.section.refuse("begin", reason, part.clock.begin)
    return groups


def _in_turn(config: Section, groups: list[list[Part]], base: float, size: float) -> Schedule:
    """One group after the other, each from the value that the one before has left."""
    pieces: list[Schedule] = []
    boundaries: list[Any] = []
    value = base
    for group, following in itertools.zip_longest(groups, groups[1:]):
        first, after = group[0], following[0] if following else None
        if first.clock.begin:
            boundaries.append(first.clock.at(first.clock.begin))
            pieces += [] if pieces else [constant(base)]
        pieces.append(_product(group, value, [_after(first, part, size) for part in group], after))
        if after is None:
            break
        if any(part.clock.is_converted and not part.curve.is_flat for part in group):
            size = config.given("steps_per_epoch", "a scheduler begins where another has ended")
        last = after.clock.updates(size)[0] - first.clock.updates(size)[0] - 1
        value = float(pieces[-1].resolve(steps_per_epoch=size)(last))
    return join(pieces, boundaries) if boundaries else pieces[0]


def _after(first: Part, part: Part, size: float) -> Any:
    """The updates from the beginning of one scheduler to that of another."""
    begin, origin = part.clock.begin, first.clock.begin
    if begin == origin:
        return 0
    if part.clock.in_epochs != first.clock.in_epochs:
        return part.clock.updates(size)[0] - first.clock.updates(size)[0]
    if (begin - origin) == int(begin - origin):
        return part.clock.at(begin - origin)
    return part.clock.at(begin) - first.clock.at(origin)


def _product(
    parts: list[Part], value: float, begins: list[Any], after: Part | None = None
) -> Schedule:
    """The schedulers at their times, the first from the value and the others from 1."""
    factors: list[Schedule] = []
    for part, begin in zip(parts, begins, strict=True):
        clock, first = part.clock, 1.0 if factors else value
        curve = part.curve.at(first)
        is_cut = after and len(parts) == 1 and clock.ends_at(after.clock)
        steps = part.curve.steps or clock.steps
        goes_on = steps == clock.steps and (part.is_last or is_cut)
        if not (part.curve.is_flat or goes_on):
            curve = then_scale(curve, clock.last(steps), constant(1.0))
        if begin:
            is_level = not part.curve.jumps
            curve = delay(curve, begin) if is_level else join([constant(first), curve], [begin])
        factors.append(curve)
    return math.prod(factors[1:], start=factors[0])


FORMAT = Format("mmengine", "mmengine", recognises, read, parts=("momentum",))

"""torch's SequentialLR and ChainedScheduler: lists of schedulers in a configuration."""

import itertools
import math

from lrsched._core.schedule import Schedule
from lrsched.configs.section import Section
from lrsched.configs.torch_members import Member, Reader, Run
from lrsched.formats import torch_classes
from lrsched.schedules.combine import join
from lrsched.schedules.decay import cosine_decay


def _members(params: Section, run: Run) -> list[Member]:
    members = [run.member(each, run) for each in params.sections("schedulers")]
    for index, member in enumerate(members):
        if member.acts == "alone":
            expected = "a scheduler that torch begins and steps in a list as it does by itself"
            found = params.value("schedulers")[index]
            params.refuse(f"schedulers[{index}]", expected, found)
    if not members:
        params.refuse("schedulers", "at least one", [])
    return members


def _sequential(params: Section, run: Run) -> Member:
    """One scheduler after the other, each from its own step 0 and the optimizer's rate."""
    members, milestones = _members(params, run), params.integers("milestones")
    if len(milestones) != len(members) - 1 or list(milestones) != sorted(milestones):
        expected = f"{len(members) - 1} numbers in ascending order (one between two schedulers)"
        params.refuse("milestones", expected, list(milestones))
    bounds = itertools.pairwise((0, *milestones, math.inf))
    stages = [(index, start) for index, (start, stop) in enumerate(bounds) if start < stop]
    for index, start in stages:
        if start and not members[index].begins_later:
            expected = "one with total_iters of at least 1 (torch divides by them)"
            params.refuse(f"schedulers[{index}]", expected, params.value("schedulers")[index])

    def make(lr: float) -> Schedule:
        _require_one_base(params, members, lr)
        pieces: list[Schedule] = [members[index].make(lr) for index, _ in stages]
        return join(pieces, [start for _, start in stages[1:]]) if pieces[1:] else pieces[0]

    return Member(make, "alone")


def _require_one_base(params: Section, members: list[Member], lr: float) -> None:
    """Refuse a first rate that torch would take as the optimizer's for other schedulers, too."""
    for index, member in enumerate(members):
        first = lr if member.begins_at is None else member.begins_at
        replaces = member.replaces_rate or index == 0
        if replaces and not math.isclose(first, lr, rel_tol=1e-12):
            expected = f"one that begins at the optimizer's lr ({lr:g}), which it replaces"
            params.refuse(f"schedulers[{index}]", expected, first)


def _chained(params: Section, run: Run) -> Member:
    """Schedulers that step together, each changing the rate that the one before left."""
    members = _members(params, run)
    if len(members) == 1 or (members[-1].acts == "sets" and all(x.needs_rate for x in members)):
        return members[-1]._replace(acts="alone")
    if any(member.acts == "sets" for member in members):
        expected = "without one that sets the rate, but for the last if it takes the optimizer's"
        params.refuse("schedulers", expected, params.value("schedulers"))
    cosines = [member for member in members if member.acts == "anneals"]
    factors = [member for member in members if member.acts == "scales"]
    if not cosines:
        return Member(lambda lr: _product(factors, lr), "alone")
    trough = cosines[0].last
    if len(cosines) > 1 or trough == math.inf or any(each.last > trough for each in factors):
        expected = (
            "factors that have done their work at the T_max of one CosineAnnealingLR, which has a "
            "whole T_max and eta_min=0 (else this has no formula)"
        )
        params.refuse("schedulers", expected, params.value("schedulers"))
    return Member(lambda lr: _annealed(factors, int(trough), lr), "alone")


def _product(members: list[Member], lr: float) -> Schedule:
    """The product of factors, the last of which carries the rate."""
    factors = [each.make(1.0) for each in members[:-1]]
    product: Schedule = members[-1].make(lr)
    for factor in reversed(factors):
        product = factor * product
    return product


def _annealed(members: list[Member], trough: int, lr: float) -> Schedule:
    """Factors times half a cosine; from its trough on torch has the cosine alone."""
    falling = Member(lambda rate: cosine_decay(rate, trough), "scales")
    rising = torch_classes.cosine_annealing_lr(0.0, trough, lr)
    return join([_product([*members, falling], lr), rising], [trough])


READERS: dict[str, Reader] = {"SequentialLR": _sequential, "ChainedScheduler": _chained}

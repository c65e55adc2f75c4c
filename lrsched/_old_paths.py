"""Old module paths, for pickles that name them.

Pickles written before 2026-11 name the modules in which things then were, such as
`lrsched.cycles`. Those names stand in `sys.modules` for modules that import what they are asked
for from where it is now. Pickles written since name `lrsched` itself.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

MOVED = {
    "lrsched._durations": "lrsched._core.durations",
    "lrsched._probe": "lrsched.range_test.reading.probe",
    "lrsched._schedule": "lrsched._core.schedule",
    "lrsched._suggest": "lrsched.range_test.reading.suggest",
    "lrsched._valley": "lrsched.range_test.reading.valley",
    "lrsched.anneal": "lrsched.schedules.anneal",
    "lrsched.chebyshev": "lrsched.schedules.chebyshev",
    "lrsched.combine": "lrsched.schedules.combine",
    "lrsched.cycles": "lrsched.schedules.cycles",
    "lrsched.decay": "lrsched.schedules.decay",
    "lrsched.inverse": "lrsched.schedules.inverse",
    "lrsched.plateau": "lrsched.controllers.plateau",
    "lrsched.noise": "lrsched.schedules.noise",
    "lrsched.ramp": "lrsched.schedules.ramp",
    "lrsched.rampup": "lrsched.schedules.warmup_factors",
    "lrsched.restarts": "lrsched.schedules.restarts",
    "lrsched.transform": "lrsched.schedules.transform",
    "lrsched_torch._device": "lrsched_torch._schedulers.on_device",
    "lrsched_torch._hyperparameters": "lrsched_torch._schedulers.hyperparameters",
    "lrsched_torch._lambda_lr": "lrsched_torch._schedulers.lambda_lr",
    "lrsched_torch._plateau": "lrsched_torch",
}


class _OldModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what looks through all modules must not import this one
            raise AttributeError(name)
        return getattr(importlib.import_module(MOVED[self.__name__]), name)


def install() -> None:
    """Put the old modules where imports find them."""
    for name in MOVED:
        # Not by a finder: an import would set `lrsched.anneal`, which is a schedule now.
        sys.modules.setdefault(name, _OldModule(name))

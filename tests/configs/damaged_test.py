"""Configurations with wrong values: each is refused by name, or its schedule has only numbers."""

import argparse
import builtins
import copy
import importlib
import math
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched import Controller, Schedule, constant, from_config
from lrsched.configs.formats import FORMATS
from tests.configs.axolotl_test import axolotl
from tests.configs.composer_test import foundry
from tests.configs.deepspeed_test import ONE_CYCLE, deepspeed
from tests.configs.detectron2_test import detectron2
from tests.configs.espnet_test import espnet
from tests.configs.fairseq_test import arguments as fairseq
from tests.configs.gpt_neox_test import neox
from tests.configs.icefall_test import icefall
from tests.configs.megatron_test import ARGUMENTS as MEGATRON
from tests.configs.mmcv_test import mmcv
from tests.configs.mmengine_test import mmengine
from tests.configs.nanotron_test import nanotron
from tests.configs.nemo_test import nemo
from tests.configs.olmo_core_test import olmo as olmo_core
from tests.configs.olmo_test import olmo
from tests.configs.rl_zoo_test import PPO
from tests.configs.timm_test import timm
from tests.configs.torch_test import hydra, one
from tests.configs.torchtitan_test import torchtitan
from tests.configs.transformers_test import LLAMA_FACTORY, arguments
from tests.configs.ultralytics_test import ARGS

EXAMPLES: dict[str, list[Any]] = {
    "axolotl": [
        axolotl(warmup_ratio=0.1, cosine_min_lr_ratio=0.1),
        axolotl("reduce_lr_on_plateau", lr_scheduler_kwargs={"patience": 2, "min_lr": 1e-6}),
    ],
    "composer": [foundry("cosine_with_warmup", t_warmup="90ba", alpha_f=0.1)],
    "deepspeed": [
        deepspeed("WarmupDecayLR", warmup_num_steps=9, total_num_steps=90),
        deepspeed("OneCycle", **ONE_CYCLE),
    ],
    "detectron2": [detectron2(BASE_LR=0.02, STEPS=[60, 80], MAX_ITER=90, WARMUP_ITERS=10)],
    "espnet": [
        espnet("warmuplr", warmup_steps=60),
        espnet("warmupreducelronplateau", warmup_steps=60, patience=3, min_lr=1e-6),
    ],
    "fairseq": [
        vars(fairseq("inverse_sqrt", warmup_updates=50, warmup_init_lr=1e-7)),
        vars(fairseq("reduce_lr_on_plateau", warmup_updates=9, lr_shrink=0.5, lr_patience=1)),
    ],
    "gpt_neox": [neox(lr_decay_style="cosine", warmup=0.01, lr_decay_iters=900)],
    "icefall": [icefall(base_lr=0.045)],
    "megatron": [MEGATRON, MEGATRON | {"rampup_batch_size": [16, 16, 900]}],
    "mmcv": [mmcv("step", step=[8, 11], warmup="linear", warmup_iters=9, warmup_ratio=0.1)],
    "mmengine": [
        mmengine(
            {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 50},
            {"type": "MultiStepLR", "begin": 0, "end": 12, "milestones": [8, 11], "gamma": 0.1},
        ),
        mmengine(
            {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 50},
            {"type": "ReduceOnPlateauLR", "rule": "less", "factor": 0.5, "min_value": 1e-5},
        ),
    ],
    "nanotron": [nanotron(lr_warmup_steps=9, lr_warmup_style="linear", min_decay_lr=1e-5)],
    "nemo": [
        nemo("CosineAnnealing", warmup_steps=20, min_lr=1e-5, max_steps=200),
        nemo("ReduceLROnPlateau", factor=0.5, patience=3, min_lr=1e-5),
    ],
    "olmo": [olmo(name="cosine_with_warmup", t_warmup=20, alpha_f=0.1)],
    "olmo_core": [olmo_core("CosWithWarmup", warmup=20, alpha_f=0.1)],
    "rl_zoo": [PPO],
    "timm": [timm(), timm(sched="plateau", warmup_epochs=2, val_interval=5)],
    "torch": [
        hydra(one("OneCycleLR", max_lr=0.1, total_steps=90)),
        hydra(one("ReduceLROnPlateau", mode="min", factor=0.5, threshold=0.1, min_lr=[1e-6])),
    ],
    "torchtitan": [torchtitan(warmup_steps=20, decay_ratio=0.3)],
    "transformers": [
        arguments("cosine", warmup_ratio=0.1, **LLAMA_FACTORY),
        arguments("greedy", {"factor": 0.9, "smooth": True, "window_size": 5, "min_lr": 1e-5}),
    ],
    "ultralytics": [ARGS],
}
CONTEXTS: list[dict[str, Any]] = [
    {},
    {"total_steps": 300},
    {"steps_per_epoch": 20},
    {"total_steps": 300, "steps_per_epoch": 20, "batch_size": 16, "learning_rate": 0.1},
]
FORBIDDEN: tuple[tuple[Any, str], ...] = (
    (os, "system"),
    (os, "open"),
    (subprocess, "Popen"),
    (importlib, "import_module"),
    (builtins, "eval"),
    (builtins, "open"),
)
ODD: list[Any] = [
    None,
    True,
    "",
    "auto",
    "x",
    "1e-3",
    "__import__('os').system('x')",
    "os.system",
    "!!python/object:os.system",
    -1,
    0,
    1,
    1.5,
    1e-300,
    1e300,
    10**400,
    "9" * 400 + "ba",
    "0ep",
    2**31,
    2**64,
    5e-324,
    math.nan,
    math.inf,
    [],
    [1, "x"],
    [[1]],
    {},
    {"x": 1},
    object(),
    1j,
]


def places(config: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a configuration."""
    items: Any = ()
    if isinstance(config, dict):
        items = config.items()
    elif isinstance(config, list):
        items = enumerate(config)
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(config: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the configuration with another value at a path."""
    config = copy.deepcopy(config)
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return config


def test_every_format_has_an_example() -> None:
    assert EXAMPLES.keys() == FORMATS.keys()
    for name, examples in EXAMPLES.items():
        for example in examples:
            assert any(loads(example, name, context) for context in CONTEXTS), name


def loads(config: Any, name: str, context: dict[str, Any]) -> bool:
    """Whether a configuration is read with what is given."""
    try:
        return isinstance(from_config(config, format=name, **context), Schedule | Controller)
    except (TypeError, ValueError):
        return False


def never(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError(f"called with {args!r}")


def read(config: Any, name: str, context: dict[str, Any]) -> Schedule | str:
    """The schedule or the refusal, while nothing can be evaluated, imported, opened or run.

    A controller is the schedule of its value before the first metric.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module, function in FORBIDDEN:
            patch.setattr(module, function, never)
        try:
            found = from_config(config, format=name, **context)
        except (TypeError, ValueError) as refused:
            return str(refused)
    if isinstance(found, Controller):
        return constant(found.init().value)
    assert isinstance(found, Schedule)
    return found.with_state(found.init_state())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_wrong_value_is_refused_or_harmless(name: str) -> None:
    @settings(max_examples=150)
    @given(st.data())
    def check(data: Any) -> None:
        config = data.draw(st.sampled_from(EXAMPLES[name]))
        for _ in range(data.draw(st.integers(1, 2))):
            path = data.draw(st.sampled_from(list(places(config))))
            config = changed(config, path, data.draw(st.sampled_from(ODD)))
        context = data.draw(st.sampled_from(CONTEXTS))
        as_arguments = data.draw(st.booleans())
        found = read(argparse.Namespace(**config) if as_arguments else config, name, context)
        if isinstance(found, str):
            assert found.startswith("from_config: ")
        elif found.is_resolved:
            assert all(math.isfinite(found(count)) for count in (0, 1, 7, 150, 300, 10**6))

    check()

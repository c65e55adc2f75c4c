"""The formats of other libraries, by name."""

from collections.abc import Mapping

from lrsched.configs import (
    axolotl,
    composer,
    deepspeed,
    detectron2,
    espnet,
    fairseq,
    gpt_neox,
    icefall,
    megatron,
    mmcv,
    mmengine,
    nanotron,
    nemo,
    olmo,
    olmo_core,
    rl_zoo,
    timm,
    torch,
    torchtitan,
    transformers,
    ultralytics,
)
from lrsched.configs.section import Format

MODULES = (
    axolotl,
    composer,
    deepspeed,
    detectron2,
    espnet,
    fairseq,
    gpt_neox,
    icefall,
    megatron,
    mmcv,
    mmengine,
    nanotron,
    nemo,
    olmo,
    olmo_core,
    rl_zoo,
    timm,
    torch,
    torchtitan,
    transformers,
    ultralytics,
)
FORMATS: Mapping[str, Format] = {module.FORMAT.name: module.FORMAT for module in MODULES}

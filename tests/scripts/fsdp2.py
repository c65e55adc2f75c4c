"""FSDP2's `fully_shard`, wherever this version of torch has it."""

import importlib

import torch.distributed.fsdp

IS_PUBLIC = hasattr(torch.distributed.fsdp, "fully_shard")  # since torch 2.6
fully_shard = importlib.import_module(
    "torch.distributed.fsdp" if IS_PUBLIC else "torch.distributed._composable.fsdp"
).fully_shard

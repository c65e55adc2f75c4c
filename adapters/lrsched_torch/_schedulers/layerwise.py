"""Param groups whose learning rates fall from the output to the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from lrsched._core import Refusal, number, optional

_LR = number("> 0")
_RATE = number("> 0", "<= 1")
_WEIGHT_DECAY = optional(number(">= 0"))

Layer = torch.nn.Module | Iterable[torch.Tensor]


def layerwise_groups(
    layers: Iterable[Layer], lr: float, decay_rate: float, weight_decay: float | None = None
) -> list[dict[str, Any]]:
    """Param groups with the rate `lr * decay_rate ** depth`, the depth counted from the output.

    The group of the last layer, whose rate is `lr` itself, comes first: with
    `lambda_lr(optimizer, schedule, keep_ratios=True)` the schedule's value is the rate of the last
    layer, and the others' stay in proportion.

    Frozen parameters (`requires_grad=False`) are left out, and a layer that has no others adds no
    group and still counts as one. A parameter of several layers (tied embeddings) belongs to the
    one nearest the output.

    Args:
        layers: modules, or iterables of parameters, from the input to the output.
        lr: of the last layer.
        decay_rate: from a layer to the one below, above 0 and at most 1.
        weight_decay: of the parameters with two dimensions or more; biases and the weights of
            norms get a group of their own for each layer, with 0. By default the groups say nothing
            of weight decay.

    Raises:
        TypeError: a layer is neither a module nor an iterable of parameters, or a number is none.
        ValueError: a number is out of bounds, a layer is there twice, or the last has nothing to
            train.

    Source: Howard and Ruder 2018, "Universal Language Model Fine-tuning", arXiv:1801.06146
    (discriminative fine-tuning); Clark et al. 2020, "ELECTRA", arXiv:2003.10555, for this form.

    Elsewhere: BEiT's `layer_decay`, timm's `param_groups_layer_decay`.

    >>> import lrsched, torch
    >>> from lrsched_torch import lambda_lr
    >>> model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    >>> optimizer = torch.optim.AdamW(layerwise_groups(model, lr=1.0, decay_rate=0.5))
    >>> scheduler = lambda_lr(optimizer, lrsched.linear(0.1, 0.0, 100), keep_ratios=True)
    >>> scheduler.get_last_lr()
    [0.1, 0.05, 0.025]
    """
    refuse = Refusal("layerwise_groups")
    lr, decay_rate, weight_decay = refuse.checked(
        lr=(_LR, lr), decay_rate=(_RATE, decay_rate), weight_decay=(_WEIGHT_DECAY, weight_decay)
    )
    taken: set[int] = set()
    groups = []
    for depth, layer in enumerate(reversed(_distinct(refuse, layers))):
        parameters = [each for each in _parameters(refuse, layer) if each.requires_grad]
        own = [each for each in dict.fromkeys(parameters) if id(each) not in taken]
        if depth == 0 and not own:
            refuse("the last of layers", "one with something to train", layer)
        taken.update(map(id, own))
        for group in _split(own, weight_decay):
            groups.append({**group, "lr": lr * decay_rate**depth})
    return groups


def _distinct(refuse: Refusal, layers: Any) -> list[Any]:
    if isinstance(layers, (str, Mapping, torch.Tensor)) or not isinstance(layers, Iterable):
        refuse("layers", "modules or iterables of parameters", layers, TypeError)
    found = list(layers)
    if not found:
        refuse("layers", "at least one module or iterable of parameters", found)
    for index, layer in enumerate(found):
        if any(layer is other for other in found[:index]):
            refuse("layers", "distinct", layer)
    return found


def _parameters(refuse: Refusal, layer: Any) -> list[torch.Tensor]:
    if isinstance(layer, torch.nn.Module):
        return list(layer.parameters())
    # The rows of a tensor are tensors too: `model.parameters()` would pass for layers.
    iterable = isinstance(layer, Iterable) and not isinstance(layer, torch.Tensor)
    found: list[Any] = list(layer) if iterable else [None]
    if not all(isinstance(each, torch.Tensor) for each in found):
        refuse("each of layers", "a module or an iterable of parameters", layer, TypeError)
    return found


def _split(parameters: list[torch.Tensor], weight_decay: float | None) -> list[dict[str, Any]]:
    """Groups of a layer's parameters, none of them empty."""
    if weight_decay is None:
        return [{"params": parameters}] if parameters else []
    decayed = [each for each in parameters if each.ndim >= 2]
    others = [each for each in parameters if each.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]

"""Param groups whose learning rates fall from the last layer to the first."""

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
    """Make param groups with the learning rate `lr * decay_rate ** depth`.

    The depth of a layer is counted from the output. The group of the last layer, whose learning
    rate is `lr` itself, comes first. So with `lambda_lr(optimizer, schedule)` the schedule's value
    is the rate of the last layer, and the other layers keep their ratios to it.

    Frozen parameters (`requires_grad=False`) are left out. A layer of frozen parameters adds no
    group but counts as a layer. A parameter of several layers (tied embeddings) belongs to the one
    nearest the output.

    Args:
        layers: modules, or iterables of parameters, from the input to the output.
        lr: the learning rate of the last layer, above 0.
        decay_rate: the ratio of a layer's learning rate to that of the next layer towards the
            output, above 0 and at most 1.
        weight_decay: the weight decay of parameters with two dimensions or more, at least 0; biases
            and the weights of norms then get a group of their own in each layer, with 0. None sets
            no weight decay.

    Returns:
        The param groups, for the constructor of an optimizer.

    Raises:
        TypeError: a layer is neither a module nor an iterable of parameters, or lr, decay_rate or
            weight_decay is not a number.
        ValueError: a number is out of bounds, layers is empty or names a layer twice, or the last
            layer has nothing to train.

    Source: Howard and Ruder 2018, "Universal Language Model Fine-tuning", arXiv:1801.06146
    (discriminative fine-tuning); Clark et al. 2020, "ELECTRA", arXiv:2003.10555, for this form.

    Elsewhere: BEiT's `layer_decay`, timm's `param_groups_layer_decay`.

    >>> import lrsched, torch
    >>> from lrsched_torch import lambda_lr
    >>> model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))
    >>> optimizer = torch.optim.AdamW(layerwise_groups(model, lr=1.0, decay_rate=0.5))
    >>> scheduler = lambda_lr(optimizer, lrsched.linear(0.1, 0.0, 100))
    >>> scheduler.get_last_lr()
    [0.1, 0.05, 0.025]
    """
    refuse = Refusal("layerwise_groups")
    lr, decay_rate, weight_decay = refuse.checked(
        lr=(_LR, lr), decay_rate=(_RATE, decay_rate), weight_decay=(_WEIGHT_DECAY, weight_decay)
    )
    used: set[int] = set()
    groups = []
    for depth, layer in enumerate(reversed(_distinct(refuse, layers))):
        parameters = [each for each in _parameters(refuse, layer) if each.requires_grad]
        own = [each for each in dict.fromkeys(parameters) if id(each) not in used]
        if depth == 0 and not own:
            refuse("the last of layers", "one with something to train", layer)
        used.update(map(id, own))
        for group in _split(own, weight_decay):
            groups.append({**group, "lr": lr * decay_rate**depth})
    return groups


def _distinct(refuse: Refusal, layers: Any) -> list[Any]:
    """The layers as a list; a layer that is given twice is refused."""
    if isinstance(layers, (str, Mapping, torch.Tensor)) or not isinstance(layers, Iterable):
        refuse("layers", "modules or iterables of parameters", layers, TypeError)
    given = list(layers)
    if not given:
        refuse("layers", "at least one module or iterable of parameters", given)
    for index, layer in enumerate(given):
        if any(layer is other for other in given[:index]):
            refuse("layers", "distinct", layer)
    return given


def _parameters(refuse: Refusal, layer: Any) -> list[torch.Tensor]:
    if isinstance(layer, torch.nn.Module):
        return list(layer.parameters())
    # A tensor is refused: iterating over it gives tensors, so parameters would pass for layers.
    iterable = isinstance(layer, Iterable) and not isinstance(layer, torch.Tensor)
    parameters: list[Any] = list(layer) if iterable else [None]
    if not all(isinstance(each, torch.Tensor) for each in parameters):
        refuse("each of layers", "a module or an iterable of parameters", layer, TypeError)
    return parameters


def _split(parameters: list[torch.Tensor], weight_decay: float | None) -> list[dict[str, Any]]:
    """The param groups of a layer: with weight decay and without, or one; never an empty one."""
    if weight_decay is None:
        return [{"params": parameters}] if parameters else []
    decayed = [each for each in parameters if each.ndim >= 2]
    others = [each for each in parameters if each.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]

"""`layerwise_groups`: rates that fall from the output to the input."""

from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from lrsched_torch import lambda_lr, layerwise_groups


def linears(number: int) -> list[torch.nn.Module]:
    return [torch.nn.Linear(2, 2) for _ in range(number)]


def owners(groups: list[dict[str, Any]], layers: list[torch.nn.Module]) -> list[list[int]]:
    """The numbers of the layers that each group's parameters are from."""
    number = {id(p): index for index, layer in enumerate(layers) for p in layer.parameters()}
    return [sorted({number[id(p)] for p in group["params"]}) for group in groups]


@given(
    number=st.integers(1, 12),
    lr=st.floats(1e-6, 10.0),
    decay_rate=st.floats(0.1, 1.0),
    peak=st.floats(1e-6, 10.0),
)
def test_rates_fall_from_the_output(number: int, lr: float, decay_rate: float, peak: float) -> None:
    layers = linears(number)
    groups = layerwise_groups(layers, lr, decay_rate)
    assert owners(groups, layers) == [[index] for index in reversed(range(number))]
    assert [len(group["params"]) for group in groups] == [2] * number
    assert [group["lr"] for group in groups] == [lr * decay_rate**depth for depth in range(number)]
    optimizer = torch.optim.SGD(groups)
    scheduler = lambda_lr(optimizer, lrsched.linear(peak, 0.0, 4), keep_ratios=True)
    for step in range(4):
        rates = scheduler.get_last_lr()
        value = lrsched.linear(peak, 0.0, 4)(step)
        assert rates[0] == value
        assert rates == pytest.approx([value * decay_rate**n for n in range(number)], rel=1e-14)
        optimizer.step()
        scheduler.step()


def test_the_optimizer_keeps_its_defaults() -> None:
    optimizer = torch.optim.AdamW(layerwise_groups(linears(2), 1.0, 0.5), weight_decay=0.3)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.3]


def test_biases_and_norms_have_no_weight_decay() -> None:
    layers = [torch.nn.Conv2d(1, 2, 3), torch.nn.LayerNorm(3), torch.nn.Linear(2, 2)]
    groups = layerwise_groups(layers, 1.0, 0.5, weight_decay=0.1)
    found = [(g["lr"], g["weight_decay"], [p.ndim for p in g["params"]]) for g in groups]
    assert found == [
        (1.0, 0.1, [2]),
        (1.0, 0.0, [1]),
        (0.5, 0.0, [1, 1]),
        (0.25, 0.1, [4]),
        (0.25, 0.0, [1]),
    ]


def test_a_tied_parameter_belongs_to_the_layer_nearest_the_output() -> None:
    embedding, middle, head = torch.nn.Embedding(4, 4), *linears(1), torch.nn.Linear(4, 4)
    head.weight = embedding.weight
    groups = layerwise_groups([embedding, middle, head], 1.0, 0.5)
    assert [group["lr"] for group in groups] == [1.0, 0.5]
    assert {id(p) for p in groups[0]["params"]} == {id(embedding.weight), id(head.bias)}
    torch.optim.SGD(groups)  # which refuses a parameter in two groups


def test_layers_without_anything_to_train_keep_their_depth() -> None:
    layers = [*linears(1), torch.nn.ReLU(), *linears(3)]
    layers[3].requires_grad_(False)
    layers[2].bias.requires_grad_(False)
    groups = layerwise_groups(layers, 1.0, 0.5)
    assert [group["lr"] for group in groups] == [1.0, 0.25, 0.0625]
    assert owners(groups, layers) == [[4], [2], [0]]
    assert [len(group["params"]) for group in groups] == [2, 1, 2]


def test_layers_may_be_iterables_of_parameters() -> None:
    first, last = linears(2)
    cls = torch.nn.Parameter(torch.zeros(3))
    groups = layerwise_groups(iter([[cls], first.parameters(), (*last.parameters(),)]), 1.0, 0.5)
    assert [len(group["params"]) for group in groups] == [2, 2, 1]
    assert groups[2]["params"][0] is cls
    twice = layerwise_groups([[cls, cls]], 1.0, 0.5)
    assert len(twice[0]["params"]) == 1


def test_a_sequential_is_a_sequence_of_layers() -> None:
    model = torch.nn.Sequential(*linears(3))
    assert owners(layerwise_groups(model, 1.0, 0.5), [*model]) == [[2], [1], [0]]


LAYER, FROZEN = linears(1)[0], linears(1)[0].requires_grad_(False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"decay_rate": 0.0}, ValueError, "decay_rate must be a number > 0 and <= 1, got 0.0"),
        ({"decay_rate": 1.5}, ValueError, "decay_rate must be a number > 0 and <= 1, got 1.5"),
        ({"decay_rate": float("nan")}, ValueError, "decay_rate must be a number > 0"),
        ({"decay_rate": "0.5"}, TypeError, "decay_rate must be a number > 0 and <= 1, got '0.5'"),
        ({"lr": 0.0}, ValueError, "lr must be a number > 0, got 0.0"),
        ({"lr": None}, TypeError, "lr must be a number > 0, got None"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be a number >= 0, or None, got"),
        ({"layers": []}, ValueError, r"layers must be at least one module or .*, got \[\]"),
        ({"layers": LAYER}, TypeError, "layers must be modules or iterables of parameters, got L"),
        ({"layers": {"a": LAYER}}, TypeError, "layers must be modules or iterables of parameters"),
        ({"layers": "ab"}, TypeError, "layers must be modules or iterables of parameters"),
        ({"layers": LAYER.parameters()}, TypeError, "each of layers must be a module or an"),
        ({"layers": [LAYER, None]}, TypeError, "each of layers must be a module or .*, got None"),
        ({"layers": [torch.tensor(1.0)]}, TypeError, "each of layers must be a module or an"),
        ({"layers": [LAYER.named_parameters()]}, TypeError, "each of layers must be a module or"),
        ({"layers": [LAYER, *linears(1), LAYER]}, ValueError, "layers must be distinct, got Lin"),
        ({"layers": [FROZEN]}, ValueError, "the last of layers must be one with something to"),
        ({"layers": [LAYER, torch.nn.ReLU()]}, ValueError, "the last of layers must be .*ReLU"),
        ({"layers": [LAYER, []]}, ValueError, r"the last of layers must be .*, got \[\]"),
    ],
)
def test_refusals(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"layerwise_groups: {message}"):
        layerwise_groups(**{"layers": [LAYER], "lr": 1.0, "decay_rate": 0.5, **arguments})

"""The classes of torch and of transformers that follow a metric, as from_config reads them."""

from typing import Any

from hypothesis import given

from lrsched import Controller, Schedule, constant, from_config, reduce_on_plateau
from lrsched import Plateau as Plateaus
from tests.configs.compare import refusal
from tests.configs.metrics import ARGUMENTS, METRICS, Plateau, followed, rates_of, reads
from tests.configs.torch_test import LR, PLATEAU, hydra, lightning, one
from tests.optional import needs
from tests.stepping import lr_of, sgd


@given(ARGUMENTS, METRICS)
def test_plateau(arguments: dict[str, Any], metrics: list[float]) -> None:
    made = reads(hydra(one("ReduceLROnPlateau", **arguments)), "torch")
    assert followed(made, metrics) == rates_of(Plateau(LR, **arguments), metrics)
    config = lightning("ReduceLROnPlateau", monitor="val_loss", **arguments)
    assert reads(config, "torch") == made
    config["lr_scheduler"]["class_path"] = "lightning.pytorch.cli.ReduceLROnPlateau"
    assert reads(config, "torch", steps_per_epoch=20) == made


@given(ARGUMENTS, METRICS)
def test_plateau_of_torch(arguments: dict[str, Any], metrics: list[float]) -> None:
    torch = needs("torch")
    low = arguments.get("min_lr", 0)
    floor = float(low[0] if isinstance(low, list) else low)
    given_ = arguments | {"min_lr": floor, "factor": float(arguments.get("factor", 0.1))}
    optimizer = sgd(LR)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **given_)
    rates = [lr_of(optimizer)]
    for metric in metrics:
        scheduler.step(metric)
        rates.append(lr_of(optimizer))
    made = from_config(hydra(one("ReduceLROnPlateau", **arguments)), kind=Controller)
    assert followed(made, metrics) == rates


def test_plateau_in_a_config_of_lightning() -> None:
    """How often it is stepped is the rhythm of its metrics, which the controller has not."""
    around = {"monitor": "val/loss", "interval": "epoch", "frequency": 2, "strict": False}
    optimizer = {"_target_": "torch.optim.Adam", "lr": LR}
    config = {"optimizer": optimizer, "lr_scheduler_config": {"scheduler": PLATEAU, **around}}
    assert reads(config, "torch") == reduce_on_plateau(LR, patience=3)
    assert from_config(PLATEAU, kind=Controller, learning_rate=0.2).init().value == 0.2


def test_what_follows_a_metric_by_functions_of_transformers() -> None:
    path = "transformers.get_reduce_on_plateau_schedule"
    expected = reduce_on_plateau(LR, patience=2)
    assert reads(hydra({"_target_": path, "patience": 2}), "torch") == expected
    by_name = {"name": "reduce_lr_on_plateau", "scheduler_specific_kwargs": {"patience": 2}}
    config = hydra({"_target_": "transformers.get_scheduler", **by_name, "num_warmup_steps": 9})
    assert reads(config, "torch") == expected
    path = "transformers.optimization.get_greedy_schedule"
    greedy = reads(hydra({"_target_": path, "patience": 2}), "torch")
    assert (greedy.name, greedy.patience, greedy.init().value) == ("greedy", 2, LR)
    path = "transformers.optimization.GreedyLR"
    assert reads(hydra({"_target_": path, "patience": 2}), "torch") == greedy


def test_a_controller_is_of_its_kind() -> None:
    config = hydra(PLATEAU)
    assert from_config(config, kind=Controller) == from_config(config, kind=Plateaus)
    found = refusal(config, kind=Schedule)
    assert found.startswith("from_config: the recipe must be a Schedule, got reduce_on_plateau(")
    product = constant(1.0) * from_config(config, kind=Controller)
    assert product.controllers == (from_config(config),)

"""Sweeps and repeats in torch: the same in this process and in pools of processes and threads."""

import functools
import inspect
import multiprocessing
import random
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import ModuleType
from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrsched
import lrsched_torch
from lrsched import Sweep
from lrsched.range_test import RangeTest
from lrsched_torch import range_test, range_test_model, repeated_range_test, sweep
from lrsched_torch._range_test import setups
from tests.processes import outputs, start

STEPS = 12
SCHEDULES: list[Any] = [0.01, lrsched.cosine_decay(0.3, STEPS), 1e4]


def setup(seed: int) -> dict[str, Any]:
    """Dropout and shuffling by the global generators, which are seeded before it is called."""
    first = nn.Linear(4, 8)
    model = nn.Sequential(first, nn.Dropout(0.2), nn.Linear(8, 1))
    inputs = torch.randn(32, 4)
    return {
        "model": model,
        "loss_fn": nn.MSELoss(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5),
        "loader": DataLoader(TensorDataset(inputs, inputs[:, :1]), 8, shuffle=True),
        "metrics": lambda: {"weight": first.weight.abs().max()},
        "every": 5,
    }


def for_threads(seed: int) -> dict[str, Any]:
    """With generators of its own."""
    generator = torch.Generator().manual_seed(seed)
    weight = nn.Parameter(torch.randn(4, generator=generator))
    batches = torch.randn(5, 8, 4, generator=generator)

    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = ((batch @ weight) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer = torch.optim.SGD([weight], lr=1.0)
    return {"step": step, "optimizer": optimizer, "batches": list(batches)}


def swept(given: Any = setup, executor: Any = None, **options: Any) -> Sweep:
    options = {"repeats": 2, "progress": False, **options}
    return sweep(given, SCHEDULES, STEPS, executor=executor, **options)


@functools.cache
def alone(given: Any = setup) -> Sweep:
    """The sweep in this process."""
    return swept(given)


def assert_same(found: Sweep, wanted: Sweep) -> None:
    assert found.failures == wanted.failures == {}
    assert found.schedules == wanted.schedules
    np.testing.assert_array_equal(found.learning_rates, wanted.learning_rates)
    np.testing.assert_array_equal(found.losses, wanted.losses)
    assert list(found.metrics) == list(wanted.metrics)
    for name, rows in wanted.metrics.items():
        np.testing.assert_array_equal(found.metrics[name], rows)


def test_a_copy_is_a_range_test_under_its_own_schedule() -> None:
    found = alone()
    assert found.label == "torch"
    assert found.losses.shape == (3, 2, STEPS)
    for index, schedule in enumerate(found.schedules):
        for seed in range(2):
            torch.manual_seed(seed)
            given = setup(seed)
            test = range_test_model(
                **given, schedule=schedule, steps=STEPS, divergence=None, progress=False
            )
            made = len(test.losses)
            assert found.losses[index, seed, :made].tolist() == test.losses.tolist()
            assert np.isnan(found.losses[index, seed, made:]).all()
            rows = test.metrics["weight"]
            assert found.metrics["weight"][index, seed, rows[:, 0].astype(int)].tolist() == (
                rows[:, 1].tolist()
            )
    assert found.losses[0, 0, 0] == found.losses[1, 0, 0] != found.losses[0, 1, 0]
    assert found.final_losses()[2] == np.inf
    assert found.best() in found.schedules[:2]


def test_the_generators_of_this_process_are_as_before() -> None:
    def states() -> list[Any]:
        numpys: Any = np.random.get_state()
        return [torch.get_rng_state().tolist(), numpys[1].tolist(), random.getstate()]

    before = states()
    swept(repeats=1)
    repeated_range_test(setup, 2, steps=3, progress=False)
    with pytest.raises(KeyError):
        swept(lambda seed: dict[str, Any]()["missing"])
    assert states() == before


def test_spawned_processes() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, torch.set_num_threads, (1,)) as pool:
        assert_same(swept(executor=pool), alone())
        test = repeated_range_test(setup, 3, steps=9, executor=pool, progress=False)
    same = repeated_range_test(setup, 3, steps=9, progress=False)
    assert test.losses.tolist() == same.losses.tolist()
    assert test.losses.shape == (3, 9)
    assert sorted(test.metrics) == ["weight_0", "weight_1", "weight_2"]


def test_forked_processes() -> None:
    """In a process of its own: JAX, which other tests use, warns where it is forked."""
    assert outputs(start("torch_sweep_forked.py")) == ["the same\n"]


def test_threads() -> None:
    with ThreadPoolExecutor(2) as threads:
        assert_same(swept(for_threads, threads), alone(for_threads))


def pairs(seed: int) -> tuple[Any, ...]:
    given = setup(seed)
    return tuple(given[name] for name in ("model", "loss_fn", "optimizer", "loader"))


def steps(seed: int) -> tuple[Any, ...]:
    given = for_threads(seed)
    return tuple(given[name] for name in ("step", "optimizer", "batches"))


def test_set_ups_of_positions_and_names() -> None:
    assert_same(swept(steps), alone(for_threads))
    assert_same(swept(lambda seed: [*steps(seed)]), alone(for_threads))
    np.testing.assert_array_equal(swept(pairs).losses, alone().losses)
    named = swept(lambda seed: for_threads(seed) | {"framework": "torch", "progress": True})
    assert_same(named, alone(for_threads))


def test_a_module_may_be_a_step() -> None:
    class Step(nn.Module):
        def __init__(self, given: dict[str, Any]) -> None:
            super().__init__()
            self.given = given

        def forward(self, batch: torch.Tensor) -> Any:
            return self.given["step"](batch)

    given = for_threads(0)
    module = Step(given)
    module.weight = given["optimizer"].param_groups[0]["params"][0]
    found = setups.run((module, given["optimizer"], given["batches"]), steps=3, progress=False)
    other = for_threads(0)
    assert found.losses.tolist() == range_test(**other, steps=3, progress=False).losses.tolist()


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Libraries with a Trainer, and the range tests of ours for them; the calls of the latter."""
    calls: dict[str, Any] = {}
    for library, ours in (
        ("transformers.trainer", "lrsched_torch.transformers"),
        ("lightning.pytorch", "lrsched_torch.lightning"),
        ("pytorch_lightning", "lrsched_torch.lightning"),
    ):
        theirs, module = ModuleType(library), ModuleType(ours)
        theirs.Trainer = type("Trainer", (), {})  # type: ignore[attr-defined]

        def test(*arguments: Any, ours: str = ours, **options: Any) -> RangeTest:
            calls[ours] = (arguments, options)
            return RangeTest(np.ones(2), np.ones(2), label=ours)

        module.range_test = test  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, library, theirs)
        monkeypatch.setitem(sys.modules, ours, module)
    return calls


@pytest.mark.parametrize(
    ("library", "ours"),
    [
        ("transformers.trainer", "lrsched_torch.transformers"),
        ("lightning.pytorch", "lrsched_torch.lightning"),
        ("pytorch_lightning", "lrsched_torch.lightning"),
    ],
)
def test_set_ups_of_trainers(library: str, ours: str, trainers: dict[str, Any]) -> None:
    trainer = sys.modules[library].Trainer()
    options = {"steps": 3, "progress": False}
    for given, wanted in (
        (trainer, ((trainer,), options)),
        ((trainer, "module", "loader"), ((trainer, "module", "loader"), options)),
        ({"trainer": trainer, "module": 5}, ((), {"trainer": trainer, "module": 5, **options})),
    ):
        trainers.clear()
        assert setups.run(given, **options).label == ours
        assert trainers == {ours: wanted}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"trainer": 5},
        {"loader": []},
        None,
        5,
        (),
        (print,),
        (nn.Linear(1, 1), None),
        ([], torch.optim.SGD([nn.Parameter(torch.ones(1))])),
    ],
)
def test_what_is_no_set_up_is_refused_with_an_example(given: Any) -> None:
    message = "^range_test: what setup returns must be the arguments of a range test: a mapping su"
    with pytest.raises(TypeError, match=message) as refused:
        sweep(lambda seed: given, [0.1, 0.2], progress=False)
    assert "{'step': step, 'optimizer': optimizer, 'batches': batches}" in str(refused.value)


def test_refusals_name_the_function() -> None:
    with pytest.raises(TypeError, match=r"^sweep: setup must be a function of a seed"):
        sweep(5, [0.1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^repeated_range_test: setup must be a function"):
        repeated_range_test(5)  # type: ignore[arg-type]


def test_a_warning_points_at_the_users_line() -> None:
    def given(seed: int) -> Any:
        if seed == 1:
            raise ValueError("no data")
        return for_threads(seed)

    with pytest.warns(UserWarning, match=r"with seed 1 .ValueError: no data") as caught:
        sweep(given, [0.1], 3, repeats=2, progress=False)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"seed 1 .ValueError: no data") as caught:
        repeated_range_test(given, 2, steps=3, progress=False)
    assert caught[0].filename == __file__


def test_defaults_are_those_of_the_range_test() -> None:
    of_test = inspect.signature(range_test).parameters
    for function in (sweep, repeated_range_test):
        for name, parameter in inspect.signature(function).parameters.items():
            if name in of_test:
                assert parameter.default == of_test[name].default, name
    assert lrsched_torch.sweep is sweep


def test_repeats_do_not_go_on_where_one_test_does() -> None:
    """So all of them have the same rates."""
    seen: list[int] = []

    def counted(seed: int) -> dict[str, Any]:
        weight = nn.Parameter(torch.full((2,), 1.0 + seed))

        def step(batch: Any) -> torch.Tensor:
            seen.append(seed)
            loss = (weight**2).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        return {"step": step, "optimizer": torch.optim.SGD([weight]), "batches": [0]}

    alone = range_test(**counted(0), steps=60, high=0.01, progress=False)
    assert alone.earlier is not None
    assert len(seen) > 60
    seen.clear()
    found = repeated_range_test(counted, 2, steps=60, high=0.01, progress=False)
    assert seen == [0] * 60 + [1] * 60
    assert found.learning_rates.tolist() == alone.earlier.learning_rates.tolist()
    assert found.losses[0].tolist() == alone.earlier.losses.tolist()
    with pytest.raises(ValueError, match="what setup returns must be without 'max_steps', which"):
        repeated_range_test(lambda seed: counted(seed) | {"max_steps": 90}, 2, progress=False)

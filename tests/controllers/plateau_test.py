"""`reduce_on_plateau` in plain Python: its decisions, and that it is a value."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from lrsched.controllers import Plateau, reduce_on_plateau
from tests.optional import needing, needs
from tests.plateaus import INF, NAN, PLATEAU, VALUES, make, plateaus, runs, states, threshold
from tests.processes import run_python


def test_the_draws_reach_what_they_are_for() -> None:
    """Cuts, cuts withheld for eps, cooldowns, and ties at the threshold all occur."""
    seen = {"cut": 0, "withheld": 0, "cooldown": 0, "tie": 0, "nan": 0}

    @settings(max_examples=300, database=None, derandomize=True)
    @given(runs)
    def count(run: tuple[Plateau, list[float]]) -> None:
        plateau, metrics = run
        before = plateau.init()
        for metric, after in zip(metrics, states(plateau, metrics), strict=True):
            out_of_patience = not before.cooldown_left and before.bad_steps == plateau.patience
            out_of_patience &= after.best == before.best and after.bad_steps == 0
            seen["cut"] += after.value < before.value
            seen["withheld"] += out_of_patience and after.value == before.value
            seen["cooldown"] += before.cooldown_left > 0
            seen["tie"] += metric == threshold(plateau, before.best) and abs(metric) < INF
            seen["nan"] += metric != metric
            before = after

    count()
    assert min(seen.values()) > 50, seen


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_a_flat_metric_is_first_cut_at_observation_patience_plus_two(patience: int) -> None:
    plateau = reduce_on_plateau(1.0, 0.5, patience=patience)
    values = [state.value for state in states(plateau, [3.0] * (patience + 2))]
    assert values == [1.0] * (patience + 1) + [0.5]


def test_a_negative_best_is_bettered_by_a_worse_one_in_the_relative_mode() -> None:
    """As the docstring warns, and as torch does."""
    assert states(reduce_on_plateau(1.0), [-1.0, -0.99995])[-1].best == -0.99995
    absolute = reduce_on_plateau(1.0, threshold_mode="abs")
    assert states(absolute, [-1.0, -0.99995])[-1].best == -1.0


@pytest.mark.parametrize("metric", [1, np.float32(1.0), True, np.int64(1)])
def test_numbers_of_any_kind_are_metrics(metric: Any) -> None:
    plateau = reduce_on_plateau(1.0)
    if metric is True:
        with pytest.raises(TypeError, match="metric must be a number or an array of numbers, got"):
            plateau.update(plateau.init(), metric)
    else:
        assert plateau.update(plateau.init(), metric).best == 1.0


def test_the_example_cuts() -> None:
    assert VALUES == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125]


def test_an_array_of_flags_is_no_metric() -> None:
    with pytest.raises(TypeError, match="metric must be a number or an array of numbers, got arr"):
        PLATEAU.update(PLATEAU.init(), np.asarray([True]))


@given(plateaus())
def test_it_is_a_value(plateau: Plateau) -> None:
    evaluated = eval(repr(plateau), {"reduce_on_plateau": reduce_on_plateau})
    copies = (evaluated, pickle.loads(pickle.dumps(plateau)), copy.deepcopy(plateau))
    for other in (*copies, plateau.replace(), reduce_on_plateau(**plateau.params)):
        assert other == plateau
        assert hash(other) == hash(plateau)
        assert repr(other) == repr(plateau)
    other = plateau.replace(patience=plateau.patience + 1)
    assert other != plateau
    assert other.params == plateau.params | {"patience": plateau.patience + 1}


def test_it_does_not_change() -> None:
    with pytest.raises(AttributeError):
        PLATEAU.patience = 3


MODULES = ["numpy", needing("jax", "jax.numpy"), needing("torch", "torch")]


@pytest.mark.parametrize("module", MODULES)
def test_numbers_of_any_library_become_pythons(module: str) -> None:
    scalar = needs(module).asarray
    plateau = make(scalar(0.5), scalar(0.25), scalar(3), cooldown=np.int64(2))
    assert plateau == reduce_on_plateau(0.5, 0.25, 3, cooldown=2)
    assert plateau.is_plain
    assert repr(plateau) == (
        "reduce_on_plateau(init_value=0.5, decay_rate=0.25, patience=3, cooldown=2)"
    )


def test_plain_use_imports_no_array_library() -> None:
    run_python(
        "import sys; from lrsched.controllers import reduce_on_plateau\n"
        "plateau = reduce_on_plateau(0.1)\n"
        "plateau.update(plateau.init(), 1.0), repr(plateau), hash(plateau), plateau.replace()\n"
        "assert not {'jax', 'torch', 'numpy'} & set(sys.modules)"
    )


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"init_value": -0.1}, ValueError, "init_value must be a number >= 0, got -0.1"),
    ({"init_value": NAN}, ValueError, "init_value must be a number >= 0, got nan"),
    ({"init_value": INF}, ValueError, "init_value must be a number >= 0, got inf"),
    ({"init_value": "0.1"}, TypeError, "init_value must be a number >= 0, got '0.1'"),
    ({"init_value": True}, TypeError, "init_value must be a number >= 0, got True"),
    ({"init_value": [0.1]}, TypeError, "init_value must be a number >= 0, got [0.1]"),
    (
        {"init_value": 1e19},
        ValueError,
        "init_value must be a number of magnitude <= 1e+18, got 1e+19",
    ),
    ({"decay_rate": 1.0}, ValueError, "decay_rate must be a number >= 0 and < 1, got 1.0"),
    ({"decay_rate": -0.5}, ValueError, "decay_rate must be a number >= 0 and < 1, got -0.5"),
    ({"decay_rate": NAN}, ValueError, "decay_rate must be a number >= 0 and < 1, got nan"),
    ({"decay_rate": None}, TypeError, "decay_rate must be a number >= 0 and < 1, got None"),
    ({"patience": -1}, ValueError, "patience must be an integer >= 0 (observations), got -1"),
    ({"patience": 3.0}, TypeError, "patience must be an integer >= 0 (observations), got 3.0"),
    ({"patience": True}, TypeError, "patience must be an integer >= 0 (observations), got True"),
    (
        {"patience": 2**31},
        ValueError,
        "patience must be an integer <= 2147483647 (observations), got 2147483648",
    ),
    ({"mode": "auto"}, ValueError, "mode must be 'min' or 'max', got 'auto'"),
    ({"mode": None}, TypeError, "mode must be 'min' or 'max', got None"),
    ({"threshold": -1e-4}, ValueError, "threshold must be a number >= 0, got -0.0001"),
    (
        {"threshold": 1},
        ValueError,
        "threshold must be a number < 1 with mode 'min' and threshold_mode 'rel', got 1",
    ),
    (
        {"threshold_mode": "relative"},
        ValueError,
        "threshold_mode must be 'rel' or 'abs', got 'rela",
    ),
    ({"threshold_mode": 1}, TypeError, "threshold_mode must be 'rel' or 'abs', got 1"),
    ({"cooldown": -2}, ValueError, "cooldown must be an integer >= 0 (observations), got -2"),
    ({"cooldown": 0.5}, TypeError, "cooldown must be an integer >= 0 (observations), got 0.5"),
    ({"end_value": -1.0}, ValueError, "end_value must be a number >= 0, got -1.0"),
    ({"end_value": [0.0]}, TypeError, "end_value must be a number >= 0, got [0.0]"),
    ({"eps": -1e-8}, ValueError, "eps must be a number >= 0, got -1e-08"),
    ({"eps": NAN}, ValueError, "eps must be a number >= 0, got nan"),
]


@pytest.mark.parametrize(("params", "error", "text"), REFUSED)
def test_bad_hyperparameters_are_refused(
    params: dict[str, Any], error: type[Exception], text: str
) -> None:
    for attempt in (
        lambda: make(**({"init_value": 0.1} | params)),
        lambda: PLATEAU.replace(**params),
    ):
        with pytest.raises(error) as refused:
            attempt()
        assert type(refused.value) is error
        assert str(refused.value).startswith(f"reduce_on_plateau: {text}")


@pytest.mark.parametrize("metric", ["1.0", None, 1j, [1.0]])
def test_bad_metrics_are_refused(metric: Any) -> None:
    with pytest.raises(TypeError) as refused:
        PLATEAU.update(PLATEAU.init(), metric)
    text = f"reduce_on_plateau: metric must be a number or an array of numbers, got {metric!r}"
    assert str(refused.value) == text

"""Controllers written down and read, wherever a schedule can be."""

import copy
import pickle
from pathlib import Path
from typing import Any, assert_type

import pytest
from hypothesis import given

import lrsched
from lrsched import Plateau, Schedule
from lrsched._core.controller import Controller
from lrsched._core.controller_definition import CONTROLLERS
from tests.optional import needs
from tests.plateaus import plateaus

PLATEAU = lrsched.reduce_on_plateau(0.1, patience=3)
LINE = lrsched.linear(1.0, 0.0, 10)
DATA = {
    "lrsched": 1,
    "controller": "reduce_on_plateau",
    "params": {
        "init_value": 0.1,
        "decay_rate": 0.1,
        "patience": 3,
        "mode": "min",
        "threshold": 1e-4,
        "threshold_mode": "rel",
        "cooldown": 0,
        "end_value": 0.0,
        "eps": 1e-8,
    },
}


def test_the_data_says_what_it_is() -> None:
    assert PLATEAU.to_dict() == DATA
    assert lrsched.from_dict(DATA) == PLATEAU
    own = {name for name, definition in CONTROLLERS.items() if definition.is_own}
    wrappers = {"accumulate_metric", "skip_metrics"}
    assert own == {"reduce_on_plateau", "newbob", "kl_adaptive", "greedy", *wrappers}
    assert isinstance(PLATEAU, Controller)
    assert PLATEAU.name == "reduce_on_plateau"


@given(plateaus())
def test_it_survives_every_round_trip(
    tmp_path_factory: pytest.TempPathFactory, plateau: Plateau
) -> None:
    path = tmp_path_factory.mktemp("plateaus") / "plateau.json"
    plateau.save(path)
    config = {"name": plateau.name, **{name: str(x) for name, x in plateau.params.items()}}
    for other in (
        copy.copy(plateau),
        pickle.loads(pickle.dumps(plateau)),
        lrsched.from_dict(plateau.to_dict()),
        lrsched.from_json(plateau.to_json(indent=2)),
        lrsched.load(path),
        lrsched.from_repr(repr(plateau)),
        lrsched.from_config(repr(plateau)),
        lrsched.from_config(plateau.to_dict()),
        lrsched.from_config(config),
        lrsched.from_config({"_target_": f"lrsched.{plateau.name}", **plateau.params}),
    ):
        assert type(other) is Plateau
        assert other == plateau
        assert hash(other) == hash(plateau)
        assert repr(other) == repr(plateau)


def test_a_kind_can_be_asked_for(tmp_path: Path) -> None:
    PLATEAU.save(tmp_path / "plateau.json")
    LINE.save(tmp_path / "line.json")
    plateau = lrsched.load(tmp_path / "plateau.json", Plateau)
    line = lrsched.load(tmp_path / "line.json", Schedule)
    assert_type(plateau, Plateau)
    assert_type(line, Schedule)
    assert (plateau, line) == (PLATEAU, LINE)
    assert_type(lrsched.from_config(repr(PLATEAU), kind=Plateau), Plateau)
    assert_type(lrsched.from_json(PLATEAU.to_json(), Plateau), Plateau)
    assert_type(lrsched.from_dict(LINE.to_dict(), Schedule), Schedule)
    assert_type(lrsched.from_repr(repr(LINE), Schedule), Schedule)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (
            lambda: lrsched.from_repr(repr(PLATEAU), Schedule),
            "from_repr: the recipe must be a Schedule, got reduce_on_plateau(init_value=0.1, pat",
        ),
        (
            lambda: lrsched.from_dict(LINE.to_dict(), Plateau),
            "from_dict: the recipe must be a Plateau, got linear(init_value=1.0, end_value=0.0, ",
        ),
        (
            lambda: lrsched.from_config(DATA, kind=Schedule),
            "from_config: the recipe must be a Schedule, got reduce_on_plateau(init_value=0.1, ",
        ),
        (
            lambda: lrsched.from_repr("accumulate_metric(linear(1.0, 0.0, 10), 5)"),
            "from_repr: column 1: accumulate_metric: controller must be a controller, got linear(",
        ),
        (
            lambda: lrsched.from_repr("'x' * reduce_on_plateau(0.1)"),
            "from_repr: column 1: a product must be of schedules and numbers, got 'x' * reduce_on",
        ),
        (
            lambda: lrsched.from_config(
                {"name": "warmup", "warmup_steps": 5, "schedule": {"name": "kl_adaptive"}}
            ),
            "from_config: schedule: kl_adaptive: missing a required argument: 'init_value' ",
        ),
        (
            lambda: lrsched.from_dict({"lrsched": 1, "schedule": "reduce_on_plateau"}),
            "from_dict: schedule must be a schedule, got the controller 'reduce_on_plateau'",
        ),
        (
            lambda: lrsched.from_dict({"lrsched": 1, "controller": "linear"}),
            "from_dict: controller must be a controller, got the schedule 'linear'",
        ),
        (
            lambda: lrsched.from_dict({"lrsched": 1, "controller": "reduce_on_plato"}),
            "from_dict: did you mean 'reduce_on_plateau'? controller must be one of ",
        ),
        (
            lambda: lrsched.from_dict({**DATA, "schedule": "linear"}),
            'from_dict: a controller must be {"controller": name, "params": {...}}, got {',
        ),
        (
            lambda: lrsched.diff(PLATEAU, LINE, 5),
            "diff: a at step 0 must not raise, got ValueError: reduce_on_plateau: reduce_on_pl",
        ),
    ],
)
def test_one_in_the_place_of_the_other_is_refused_by_name(read: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        read()
    assert str(refused.value).startswith(message)


def test_parameters_of_other_names_are_suggested() -> None:
    with pytest.raises(TypeError, match=r"reduce_on_plateau: .*'factor'; did you mean 'decay_rate"):
        lrsched.reduce_on_plateau(0.1, factor=0.5)  # type: ignore[call-arg]


def test_plateaus_of_arrays_are_compared_as_a_whole() -> None:
    np = needs("numpy")

    def made(init_value: Any) -> Plateau:
        return Plateau(PLATEAU._definition, (init_value, *list(PLATEAU.params.values())[1:]))

    stacked = made(np.ones(2))
    assert stacked == made(np.ones(2))
    assert stacked != made(np.zeros(2))
    assert stacked != made(np.ones(3))
    assert PLATEAU.params != PLATEAU
    with pytest.raises(TypeError, match="to_dict: a recipe holds numbers, names and schedules, no"):
        stacked.to_json()

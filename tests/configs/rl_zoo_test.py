"""rl-baselines3-zoo's hyperparameters, and the functions that stable-baselines3 takes."""

import pickle
from typing import Any

import pytest

import lrsched
from lrsched import from_config, remaining_progress
from tests.configs.compare import compare, refusal

PPO: dict[str, Any] = {
    "n_envs": 8,
    "n_timesteps": 4e4,
    "policy": "MlpPolicy",
    "batch_size": 256,
    "n_steps": 32,
    "gae_lambda": 0.8,
    "gamma": 0.98,
    "n_epochs": 20,
    "ent_coef": 0.0,
    "learning_rate": "lin_0.001",
    "clip_range": "lin_0.2",
}


def test_linear_of_the_remaining_progress() -> None:
    compare(PPO, lambda n: 0.001 * max(1 - n / 40_000, 0), range(0, 41_000, 7), "rl_zoo")
    compare(PPO, lambda n: 0.2 * max(1 - n / 40_000, 0), range(0, 41_000, 7), part="clip_range")
    compare(PPO | {"learning_rate": "3e-4"}, lambda n: 3e-4, range(9), "rl_zoo")
    open_end = {key: value for key, value in PPO.items() if key != "n_timesteps"}
    assert not from_config(open_end).is_resolved
    compare(open_end, lambda n: 0.001 * (1 - n / 900), range(900), total_steps=900)


def test_refusals() -> None:
    assert "rl-baselines3-zoo: learning_rate must be a number >= 0, got 'x'" in refusal(
        PPO | {"learning_rate": "lin_x"}
    )
    assert "clip_range_vf is missing" in refusal(PPO, part="clip_range_vf")
    assert "n_timesteps must be total_steps (5)" in refusal(PPO, total_steps=5)


@pytest.mark.parametrize("total", [3, 7, 3000, 999_983])
def test_every_whole_step_of_the_remaining_progress_is_met(total: int) -> None:
    """As stable-baselines3 computes it: 1 minus the steps made over the steps of the run."""
    schedule = lrsched.step_decay(1.0, 0.5, 3)
    function = remaining_progress(schedule, total)
    for done in {*range(min(total, 50)), total // 3, total // 2, total - 1, total}:
        assert function(1.0 - float(done) / float(total)) == schedule(done)


def test_it_is_a_value() -> None:
    schedule = lrsched.linear(0.1, 0.0, lrsched.run_fraction(0.5))
    function = remaining_progress(schedule, 100)
    assert pickle.loads(pickle.dumps(function)) == function
    assert (
        repr(function) == "remaining_progress(linear(init_value=0.1, end_value=0.0, steps=50), 100)"
    )
    assert function(0.75) == 0.05
    assert function(1.5) == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: remaining_progress(0.1, 5), "remaining_progress: schedule must be a schedule"),  # type: ignore[arg-type]
        (lambda: remaining_progress(lrsched.constant(1), 0), "total_steps must be an integer >= 1"),
        (
            lambda: remaining_progress(lrsched.linear(1, 0, lrsched.epochs(3)), 9),
            "steps is epochs(3); resolve it",
        ),
        (
            lambda: remaining_progress(lrsched.constant(1), 9)(float("nan")),
            "remaining_progress: remaining must be a finite number, got nan",
        ),
    ],
)
def test_bad_input(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        make()
    assert message in str(refused.value)

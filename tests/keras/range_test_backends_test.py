"""The range test of a Keras model, on each of Keras's backends that trains."""

import json
from typing import Any

from tests.optional import needs

needs("jax")
needs("keras")

import numpy as np
import pytest

from tests.keras.everywhere import TRAINING, everywhere
from tests.scripts.keras_going_on import going_on
from tests.scripts.keras_models import BATCHES, RAMP, STEPS
from tests.scripts.keras_range_tests import PARTS


def result(backend: str, name: str) -> Any:
    """A result of the script; on JAX it is run in this process."""
    if backend != "jax":
        return everywhere()[backend]["range tests"][name]
    return json.loads(json.dumps(PARTS[name]()))


@pytest.mark.parametrize("backend", TRAINING[1:])
def test_nothing_has_changed_after_any_stop(backend: str) -> None:
    assert result(backend, "stops") == []


@pytest.mark.parametrize("backend", TRAINING)
def test_nothing_has_changed_after_an_error_in_a_training_step(backend: str) -> None:
    assert result(backend, "in train_step") == ["", ""]


@pytest.mark.parametrize("backend", TRAINING)
def test_a_first_training_after_a_test_is_that_without_it(backend: str) -> None:
    assert result(backend, "fresh") == ""


@pytest.mark.parametrize("backend", TRAINING)
def test_each_update_uses_its_rate_and_the_loss_is_its_own(backend: str) -> None:
    found = result(backend, "linear")
    assert len(found) == 5
    ramp = np.array(list(map(RAMP, range(STEPS))), np.float32)
    for name, (losses, wanted, rates) in found.items():
        np.testing.assert_allclose(losses, wanted, rtol=1e-4, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(rates, ramp)


@pytest.mark.parametrize("backend", TRAINING)
def test_a_finder_that_reads_logs_sees_the_mean_since_the_epoch_began(backend: str) -> None:
    ours, theirs = map(np.array, result(backend, "finder"))
    assert len(ours) == len(theirs) == BATCHES - 1
    means = np.cumsum(ours) / np.arange(1, BATCHES)
    np.testing.assert_allclose(theirs, means, rtol=1e-4, atol=1e-6)
    assert np.abs(theirs[1:] - ours[1:]).min() > 0.01


@pytest.mark.parametrize("backend", TRAINING)
def test_the_losses_of_several_outputs_are_added(backend: str) -> None:
    losses, (evaluated,) = result(backend, "outputs")
    assert losses[0] == pytest.approx(evaluated, rel=1e-6)


@pytest.mark.parametrize("backend", TRAINING)
def test_updates_that_a_scaled_loss_skips_are_repeated(backend: str) -> None:
    stopped, losses, rates, wrong = result(backend, "half")
    assert (stopped, wrong) == ("finished", "")
    assert len(losses) == len(rates) == STEPS
    assert rates == sorted(set(rates))


@pytest.mark.parametrize("backend", TRAINING)
def test_metrics_disturb_nothing(backend: str) -> None:
    (without, with_metrics), metrics, logs = result(backend, "measured")
    assert without == with_metrics
    assert metrics.keys() == logs.keys()
    for name, rows in metrics.items():
        assert [update for update, _ in rows] == [0, 5, 10]
        assert rows[0][1] == pytest.approx(logs[name], rel=1e-5)


@pytest.mark.parametrize("backend", TRAINING)
def test_batches_in_every_form(backend: str) -> None:
    found = result(backend, "sources")
    own = {"a PyDataset", "a shuffled loader"}  # which have an order of their own
    assert len(found) == {"jax": 3, "torch": 5, "tensorflow": 4}[backend]
    for name in found.keys() - own:
        assert found[name] == found["arrays"], name


def test_a_test_goes_on_where_its_rate_is_uncertain() -> None:
    found = going_on()
    lowest = {name: [round(low, 8) for low, _ in ends] for name, (ends, _) in found.items()}
    assert lowest == {
        "certain": [1e-4],
        "higher rates": [1e-5, 1e-4],
        "lower rates": [3.0, 3e-4],
        "no more": [1e-5],
        "trainings": [1e-3],
    }
    assert found["higher rates"][0][1][1] == found["lower rates"][0][1][1] == "diverged"
    trains = {name: trainings > 0 for name, (_, trainings) in found.items()}
    assert not trains["certain"] | trains["no more"]
    assert trains["trainings"]


@pytest.mark.parametrize("backend", TRAINING)
def test_a_training_is_that_of_its_rate_on_its_batches(backend: str) -> None:
    """From the same state, the second time at the best rates on other batches."""
    wrong, repeats, losses, wanted = result(backend, "trainings")
    assert wrong == ""
    assert repeats[0] >= 3
    assert repeats[1] >= 1
    np.testing.assert_array_equal(losses, wanted)


@pytest.mark.parametrize("backend", TRAINING)
def test_nothing_has_changed_after_trainings(backend: str) -> None:
    """Also after an error in the middle of one."""
    assert result(backend, "faults") == ["", ""]


@pytest.mark.parametrize("backend", TRAINING)
def test_a_test_goes_on_no_further_where_a_generator_ends(backend: str) -> None:
    (ramp, trainings), (same, none) = result(backend, "generators")
    assert ramp == same
    assert trainings > 0
    assert none == 0


def test_the_losses_of_a_training_step_in_torch() -> None:
    needs("torch")
    ours, theirs = result("torch", "beside torch")
    assert len(ours) == STEPS
    assert ours == theirs


def test_nothing_has_changed_in_layers_of_torch() -> None:
    needs("torch")
    assert result("torch", "layers of torch") == ""

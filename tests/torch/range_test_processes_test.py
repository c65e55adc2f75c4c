"""Range tests in torch in two processes."""

from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch

from tests.processes import outputs, start


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes of one distributed run found, each in its own file."""
    needs("torch", "torch>=2.6")  # for FSDP2 on a CPU
    out = tmp_path_factory.mktemp("ranks")
    outputs(*(start("torch_ranks.py", out, rank, warnings="default") for rank in range(2)))
    return [torch.load(out / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", ["ddp", "fsdp", "ddp window"])
def test_two_processes_stop_together(two_processes: list[dict[str, Any]], case: str) -> None:
    first, second = (each[case] for each in two_processes)
    assert first["losses"] == second["losses"]
    assert first["stopped"] == second["stopped"] == "diverged"
    assert first["restored"]
    assert second["restored"]
    own = first["own"], second["own"]
    assert own[0] != own[1]  # each has other batches
    count = len(first["losses"])
    mean = np.mean([own[0][:count], own[1][:count]], axis=0)
    np.testing.assert_array_equal(first["losses"], mean)


@pytest.mark.parametrize("case", ["ddp", "fsdp"])
def test_a_probe_of_two_processes(two_processes: list[dict[str, Any]], case: str) -> None:
    first, second = (each[case]["probe"] for each in two_processes)
    np.testing.assert_equal(first, second)
    assert np.shape(first)[1:] == (2, 15)


@pytest.mark.parametrize("case", ["ddp whole", "ddp failed", "fsdp whole"])
def test_two_processes_train_as_if_there_had_been_no_test(
    two_processes: list[dict[str, Any]], case: str
) -> None:
    """Also after both have failed in the middle of it."""
    assert [each[case] for each in two_processes] == [True, True]


def test_two_processes_that_go_on_make_the_same_ramps_and_trainings(
    two_processes: list[dict[str, Any]],
) -> None:
    first, second = (each["goes on"] for each in two_processes)
    assert first["rates"] == second["rates"]
    np.testing.assert_equal(first["losses"], second["losses"])  # NaN where a training ended
    assert first["updates"] == second["updates"] > 120
    assert first["restored"]
    assert second["restored"]
    assert first["after"] == second["after"]


def test_trainings_end_where_one_process_has_no_batches_left(
    two_processes: list[dict[str, Any]],
) -> None:
    """A ramp of 50, and trainings of 12 for which 20 are drawn, leave none of 90 for a third."""
    first, second = (each["short probe"] for each in two_processes)
    np.testing.assert_equal(first, second)
    assert sorted(np.isfinite(first).sum(axis=-1).ravel()) == [0, 0, 12, 12]


def test_data_that_ends_in_one_process_ends_the_test_in_all(
    two_processes: list[dict[str, Any]],
) -> None:
    for each in two_processes:
        assert each["exhausted"] == ("exhausted", 5, True)


def test_data_that_fails_in_one_process_ends_the_test_in_all(
    two_processes: list[dict[str, Any]],
) -> None:
    first, second = (each["failed data"] for each in two_processes)
    assert first == ("RuntimeError", "range_test: another process could not draw its batches", True)
    assert second == ("OSError", "planned", True)


def test_processes_that_test_alone(two_processes: list[dict[str, Any]]) -> None:
    first, second = (each["alone"] for each in two_processes)
    assert first[0] == 4
    assert second[0] == 6
    assert first[1] != second[1][:4]


def test_a_process_that_ends_with_an_error_ends_the_others(
    two_processes: list[dict[str, Any]],
) -> None:
    """They were waiting for it in the next collective."""
    first, second = (each["failed step"] for each in two_processes)
    assert second == ("ValueError", True)
    assert first == ("RuntimeError", True)

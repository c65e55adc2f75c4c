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
    assert first == second
    assert first


@pytest.mark.parametrize("case", ["ddp whole", "ddp failed", "fsdp whole"])
def test_two_processes_train_as_if_there_had_been_no_test(
    two_processes: list[dict[str, Any]], case: str
) -> None:
    """Also after both have failed in the middle of it."""
    assert [each[case] for each in two_processes] == [True, True]


def test_a_probe_has_as_many_updates_as_every_process_has_batches_for(
    two_processes: list[dict[str, Any]],
) -> None:
    first, second = (each["short probe"] for each in two_processes)
    assert first == second
    assert len(first) >= 5
    assert {len(row) for rows in first for row in rows} == {20}
    assert {len(rows) for rows in first} == {2}


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

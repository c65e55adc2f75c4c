"""A sweep in forked processes, of a process without threads; `tests/torch/sweep_test.py` runs it.

It prints "the same" if the sweep is what it is in this process.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from tests.torch.sweep_test import alone, swept


def main() -> None:
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, context, torch.set_num_threads, (1,)) as pool:
        found = swept(executor=pool)
    np.testing.assert_array_equal(found.losses, alone().losses)
    print("the same")


if __name__ == "__main__":
    main()

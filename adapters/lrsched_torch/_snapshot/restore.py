"""What a snapshot restores besides tensors.

`lrsched.range_test.running.restore` has it for every stack.
"""

import torch

from lrsched.range_test.running.restore import (
    Restore,
    generator_types,
    restore_all,
    restored,
    save_generator,
    save_items,
    save_random_state,
    save_sequence,
)

__all__ = [
    "GENERATORS",
    "Restore",
    "restore_all",
    "restored",
    "save_generator",
    "save_items",
    "save_random_state",
    "save_sequence",
]

GENERATORS = generator_types()
assert torch.Generator in GENERATORS

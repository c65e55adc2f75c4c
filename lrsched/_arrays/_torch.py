"""The array namespace of torch tensors: array-api-compat's, as torch.compile can trace it.

It computes in float32 also where torch's default dtype is narrower.
"""

from typing import Any

import torch
from array_api_compat.torch import *  # noqa: F403


class __array_namespace_info__:  # noqa: N801  # the standard's name
    def default_dtypes(self) -> dict[str, torch.dtype]:
        return {"real floating": torch.float32, "integral": torch.int64}


# array-api-compat calls `torch.result_type` with Python numbers, which
# torch.compile(fullgraph=True) cannot trace (torch 2.13, array-api-compat 1.16).
def minimum(x: torch.Tensor, y: Any, /) -> torch.Tensor:
    return torch.clamp(x, max=y)


def maximum(x: torch.Tensor, y: Any, /) -> torch.Tensor:
    return torch.clamp(x, min=y)

"""The array namespace of torch tensors: array-api-compat's, as torch.compile can trace it."""

from typing import Any

import torch
from array_api_compat.torch import *  # noqa: F403
from array_api_compat.torch import (  # type: ignore[attr-defined]  # dunders need naming
    __array_namespace_info__ as __array_namespace_info__,
)


# array-api-compat calls `torch.result_type` with Python numbers, which
# torch.compile(fullgraph=True) cannot trace (torch 2.13, array-api-compat 1.16).
def minimum(x: torch.Tensor, y: Any, /) -> torch.Tensor:
    return torch.clamp(x, max=y)


def maximum(x: torch.Tensor, y: Any, /) -> torch.Tensor:
    return torch.clamp(x, min=y)

"""The array namespace of torch tensors, computing in float64."""

import torch

from lrsched._arrays._torch import *  # noqa: F403


class __array_namespace_info__:  # noqa: N801  # the standard's name
    def default_dtypes(self) -> dict[str, torch.dtype]:
        return {"real floating": torch.float64, "integral": torch.int64}

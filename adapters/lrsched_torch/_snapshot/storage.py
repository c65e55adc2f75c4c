"""Where the copies of tensors are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Literal, Protocol

import torch

Location = Literal["device", "cpu", "disk"]


class Storage(Protocol):
    """Keeps copies of tensors."""

    def store(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Copy a tensor, and return the way to read the copy."""

    def close(self) -> None:
        """Forget all copies."""


def memory(place: Location) -> Storage:
    """Copies on the tensors' own devices, in the host's memory, or in a temporary file."""
    return DiskStorage() if place == "disk" else MemoryStorage("cpu" if place == "cpu" else None)


class MemoryStorage:
    """Copies in memory: on a device, or each on that of its tensor."""

    def __init__(self, device: str | None) -> None:
        self._device = device

    def store(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Copy a tensor."""
        tensor = tensor.detach()
        copy = tensor.clone() if self._device is None else tensor.to(self._device, copy=True)
        return lambda: copy

    def close(self) -> None:
        """Nothing to do: the copies live as long as the ways to read them."""


class DiskStorage:
    """Copies in a private temporary file, one tensor at a time in memory.

    The file has no name where the system allows it (Linux, macOS), so that not even a killed
    process leaves it behind.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="lrsched-")  # noqa: SIM115  # see `close`
        self._host = MemoryStorage("cpu")

    def store(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Append a tensor's bytes to the file."""
        if tensor.layout != torch.strided or not tensor.numel():
            return self._host.store(tensor)
        here = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        content = here.view(torch.uint8).numpy()
        start, size, shape, dtype = self._file.tell(), content.size, tensor.shape, tensor.dtype
        self._file.write(content.data)

        def read() -> torch.Tensor:
            self._file.seek(start)
            buffer = bytearray(size)
            if self._file.readinto(buffer) != size:
                raise OSError(f"the temporary file of the snapshot is shorter than {start + size}")
            return torch.frombuffer(buffer, dtype=dtype).reshape(shape)

        return read

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

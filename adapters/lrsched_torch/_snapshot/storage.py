"""Keep copies of tensors, in memory or in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Literal, Protocol

import torch

Location = Literal["device", "cpu", "disk"]


class Storage(Protocol):
    """Keeps copies of tensors."""

    def store(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Copy a tensor, and return a function that reads the copy."""

    def close(self) -> None:
        """Delete all copies."""


def open_storage(location: Location) -> Storage:
    """A storage on the tensors' own devices, in the host's memory, or in a temporary file."""
    if location == "disk":
        return DiskStorage()
    return MemoryStorage("cpu" if location == "cpu" else None)


class MemoryStorage:
    """Keeps copies in memory: on one device, or each on the device of its tensor."""

    def __init__(self, device: str | None) -> None:
        self._device = device

    def store(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Copy a tensor."""
        tensor = tensor.detach()
        copy = tensor.clone() if self._device is None else tensor.to(self._device, copy=True)
        return lambda: copy

    def close(self) -> None:
        """Do nothing: the copies are freed with the functions that read them."""


class DiskStorage:
    """Keeps copies in a private temporary file, with one tensor at a time in memory.

    On systems that allow it (Linux, macOS) the file has no name, so that not even a killed process
    leaves it behind.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="lrsched-")  # noqa: SIM115  # see `close`
        self._host = MemoryStorage("cpu")

    def store(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
        """Append a tensor's bytes to the file."""
        if tensor.layout != torch.strided or not tensor.numel():
            return self._host.store(tensor)
        flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        content = flat.view(torch.uint8).numpy()
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

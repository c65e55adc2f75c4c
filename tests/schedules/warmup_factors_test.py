"""Warmup factors, beside the same ones of pytorch_warmup."""

from fractions import Fraction
from typing import Any

import pytest

import lrsched
from tests.optional import needs


def close(wanted: float) -> Any:
    return pytest.approx(wanted, rel=1e-12, abs=1e-18)


@pytest.mark.parametrize("beta2", ["0.0", "0.3", "0.5", "0.9", "0.95", "0.98", "0.999", "0.9999"])
def test_untuned_linear_warmup_is_pytorch_warmup_s(beta2: str) -> None:
    """But for the rounding of 1 - beta2, by which its ramp is a step short for most of these."""
    pytorch_warmup = needs("pytorch_warmup")
    torch = needs("torch")
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=1.0, betas=(0.9, float(beta2)))
    theirs = pytorch_warmup.UntunedLinearWarmup(optimizer)
    ours = lrsched.untuned_linear_warmup(float(beta2))
    length = int(2 / (1 - Fraction(beta2)))
    their_length = int(2 / (1 - float(beta2)))
    assert their_length in (length - 1, length)
    optimizer.step()
    for count in range(300):
        assert ours(count) == close(min((count + 1) / length, 1.0))
        their_rate = optimizer.param_groups[0]["lr"]
        assert their_rate == close(min((count + 1) / their_length, 1.0))
        optimizer.param_groups[0]["lr"] = 1.0
        with theirs.dampening():
            pass


@pytest.mark.parametrize("beta2", [0.9, 0.95, 0.98, 0.99, 0.999])
def test_radam_warmup_is_pytorch_warmup_s(beta2: float) -> None:
    """Its formula cancels: to 1e-9."""
    pytorch_warmup = needs("pytorch_warmup")
    torch = needs("torch")
    optimizer = torch.optim.Adam([torch.zeros(1)], lr=1.0, betas=(0.9, beta2))
    theirs = pytorch_warmup.RAdamWarmup(optimizer)
    ours = lrsched.radam_warmup(beta2)
    optimizer.step()
    for count in range(300):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(ours(count), rel=1e-9)
        optimizer.param_groups[0]["lr"] = 1.0
        with theirs.dampening():
            pass

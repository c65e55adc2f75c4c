"""`range_test_model`: a range test of a model and a loss."""

from typing import Any

from tests.optional import needs

needs("torch")

import numpy as np
import pytest
import torch
from torch import nn

from lrsched_torch import range_test, range_test_model
from tests.torch.range_test_task import RAMP, STEPS, model_task


def test_a_model_and_a_loss_are_a_step() -> None:
    model, optimizer, loader = model_task()
    torch.manual_seed(1)
    found = range_test_model(model, nn.CrossEntropyLoss(), optimizer, loader, RAMP, STEPS)

    def step(batch: Any) -> torch.Tensor:
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    torch.manual_seed(1)
    expected = range_test(step, optimizer, loader, RAMP, STEPS)
    assert found.losses.tolist() == expected.losses.tolist()
    assert len(found.losses) == STEPS


def test_a_model_with_accumulation_and_autocast() -> None:
    model, optimizer, loader = model_task()
    seen = []
    model.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    loss_fn = nn.CrossEntropyLoss()
    options: Any = {"accumulate": 2, "autocast": torch.bfloat16, "modules": None}
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    found = range_test_model(model, loss_fn, optimizer, loader, RAMP, 4, scaler=scaler, **options)
    assert len(found.losses) == 4
    assert seen == [torch.bfloat16] * 8


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model(backend: str) -> None:
    model, optimizer, loader = model_task()
    torch.manual_seed(1)
    expected = range_test_model(model, nn.CrossEntropyLoss(), optimizer, loader, RAMP, 6)
    before = [tensor.clone() for tensor in model.state_dict().values()]
    compiled: Any = torch.compile(model, backend=backend)
    torch.manual_seed(1)
    found = range_test_model(compiled, nn.CrossEntropyLoss(), optimizer, loader, RAMP, 6)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)
    assert all(map(torch.equal, model.state_dict().values(), before))
    assert found.learning_rates.tolist() == expected.learning_rates.tolist()


def test_a_model_that_is_none_and_batches_that_are_no_pairs() -> None:
    model, optimizer, _ = model_task()
    with pytest.raises(TypeError, match="range_test_model: model must be a torch module"):
        range_test_model(lambda x: x, nn.MSELoss(), optimizer, [])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="range_test_model: loss_fn must be a function"):
        range_test_model(model, None, optimizer, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="range_test_model: model must be a module with param"):
        range_test_model(nn.ReLU(), nn.MSELoss(), optimizer, [])
    with pytest.raises(TypeError, match=r"range_test_model: a batch must be a pair"):
        range_test_model(model, nn.MSELoss(), optimizer, [{"x": torch.ones(2, 4)}])

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
        range_test_model(model, 1.0, optimizer, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="range_test_model: model must be a module with param"):
        range_test_model(nn.ReLU(), nn.MSELoss(), optimizer, [])
    for batch in (torch.ones(2, 4), (torch.ones(2, 4),), 3):
        with pytest.raises(TypeError, match=r"range_test_model: a batch must be \(inputs, targets"):
            range_test_model(model, nn.MSELoss(), optimizer, [batch])
    rows: Any = nn.MSELoss(reduction="none")
    with pytest.raises(ValueError, match=r"range_test_model: the shape of the loss must be \(\)"):
        range_test_model(model, rows, optimizer, [(torch.ones(2, 4), torch.ones(2, 3))])
    with pytest.raises(TypeError, match="loss_fn must be a function that returns a tensor"):
        range_test_model(model, lambda *_: 1.0, optimizer, [(torch.ones(2, 4), 0)])  # type: ignore[arg-type]


class Fused(nn.Module):
    """A model of several inputs, which can compute its own loss."""

    def __init__(self, returns: str = "outputs") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 3)
        self.returns = returns

    def forward(self, x: Any, scale: Any, labels: Any = None, ids: Any = None) -> Any:
        outputs = self.linear(x * scale)
        if labels is None:
            return outputs
        loss = nn.functional.cross_entropy(outputs, labels)
        if self.returns == "named":
            return type("Output", (), {"loss": loss})()
        return {"loss": loss} if self.returns == "mapping" else loss


X, SCALE = torch.randn(8, 4), torch.rand(8, 1)
LABELS = X[:, :3].argmax(1)


@pytest.mark.parametrize("returns", ["loss", "mapping", "named"])
@pytest.mark.parametrize("kind", ["tuple", "list", "mapping"])
def test_batches_of_any_number_of_parts(kind: str, returns: str) -> None:
    """The same losses however the parts come, and whoever computes the loss."""

    def run(batch: Any, loss_fn: Any, returns: str = "outputs") -> list[float]:
        model = Fused(returns)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        found = range_test_model(model, loss_fn, optimizer, [batch], RAMP, STEPS)
        losses: list[float] = found.losses.tolist()
        return losses

    expected = run((X, SCALE, LABELS), nn.CrossEntropyLoss())
    parts = {"x": X, "scale": SCALE, "labels": LABELS, "ids": ["a", "b"]}
    batch = parts if kind == "mapping" else {"tuple": tuple, "list": list}[kind](parts.values())
    assert run(batch, None, returns) == expected
    if kind == "mapping":
        del parts["labels"]
        on_mapping = lambda outputs, batch: nn.functional.cross_entropy(outputs, LABELS)  # noqa: E731
        assert run(parts, on_mapping) == expected


def test_a_model_of_transformers() -> None:
    """Its batches are mappings, and its output holds the loss."""
    transformers = needs("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=11, n_positions=8)
    model = transformers.GPT2LMHeadModel(config)
    ids = torch.randint(0, 11, (4, 8))
    batch = transformers.BatchEncoding({"input_ids": ids, "labels": ids})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [tensor.clone() for tensor in model.state_dict().values()]
    found = range_test_model(model, None, optimizer, [batch], RAMP, STEPS)
    model.eval()
    model.train()
    assert found.stopped == "finished"
    assert found.losses[-1] < found.losses[0]
    assert all(map(torch.equal, model.state_dict().values(), before))


def test_a_model_without_a_loss_of_its_own() -> None:
    class Pair(nn.Linear):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x), x

    model = Pair(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match=r"\(this model returns no loss itself\)"):
        range_test_model(model, None, optimizer, [X])


def test_a_model_whose_test_goes_on() -> None:
    """Each training begins with the running means of the start, and nothing is left of any."""
    model, optimizer, loader = model_task()
    norm: Any = list(model.children())[1]
    counts: list[int] = []
    model.register_forward_pre_hook(lambda *_: counts.append(int(norm.num_batches_tracked)))
    given = (model, nn.CrossEntropyLoss(), optimizer, loader, RAMP, STEPS)
    before = [tensor.clone() for tensor in model.state_dict().values()]
    found = range_test_model(*given, refine=True, probe_steps=5, progress=False)
    assert found.probe is not None
    made = np.isfinite(found.probe.losses).sum(axis=-1)
    parts = [STEPS, *made[made > 0]]
    assert sorted(counts) == sorted(count for steps in parts for count in range(steps))
    assert all(map(torch.equal, model.state_dict().values(), before))

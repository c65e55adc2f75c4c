"""The README's code runs, and its two halves do the same."""

import doctest
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from matplotlib import pyplot

import lrsched
import lrsched_jax
import lrsched_torch
from lrsched._core.definition import REGISTRY
from lrsched.range_test import RangeTest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def names() -> dict[str, Any]:
    return {
        "jax": jax,
        "lrsched": lrsched,
        "np": np,
        "optax": optax,
        "torch": torch,
        "model": torch.nn.Linear(1, 1),
    }


def test_the_recipe_is_the_same_in_optax_and_in_torch(names: dict[str, Any]) -> None:
    optax_half, torch_half = blocks("python")[:2]
    exec(optax_half, names)
    params = jnp.zeros(3)
    state, found = names["optimizer"].init(params), []
    for _ in range(3):  # a unit gradient: the first update is the rate, the next the momentum's too
        updates, state = names["optimizer"].update(jnp.ones(3), state, params)
        found.append(updates[0])
    np.testing.assert_allclose(found, [0, -0.001 * 1.9, -0.002 * 2.71], rtol=1e-6)
    optax_recipe = names["recipe"]

    exec(torch_half, names)
    assert names["recipe"] == optax_recipe
    optimizer, scheduler = names["optimizer"], names["scheduler"]
    for count in range(1005):
        assert optimizer.param_groups[0]["lr"] == optax_recipe(count)
        optimizer.step()
        scheduler.step()


def test_the_other_code_runs(
    names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it saves a file
    names["recipe"] = lrsched.warmup(lrsched.cosine_decay(0.1, 900), 100)
    given = regression()
    for block in blocks("python")[2:]:
        names |= given
        exec(block, names)
    pyplot.close("all")
    assert names["halving"](0.1, 50)(50) == 0.05
    assert isinstance(names["theirs"], torch.optim.lr_scheduler.SequentialLR)
    assert names["found"].losses.shape == (32, 200)
    assert RangeTest.load("range_test.json").suggest() == names["test"].suggest()
    assert names["recipe"](500) == names["suggested"]  # the end of a warmup of a twentieth


def regression() -> dict[str, Any]:
    """What the range tests of the README are given."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(30, 64, 4)).astype(np.float32)
    targets = (inputs @ np.array([[1.0], [-2.0], [0.5], [3.0]], np.float32))[..., 0]
    batches = list(zip(inputs, targets, strict=True))
    model = torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Flatten(0))

    def loss_fn(params: jax.Array, batch: Any) -> jax.Array:
        return jnp.mean((batch[0] @ params - batch[1]) ** 2)

    def step(batch: Any) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(model(torch.tensor(batch[0])), torch.tensor(batch[1]))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return {
        "lrsched_jax": lrsched_jax,
        "lrsched_torch": lrsched_torch,
        "loss_fn": loss_fn,
        "params": jnp.zeros(4),
        "batches": batches,
        "step": step,
        "model": model,
        "network": torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)),
        "criterion": torch.nn.MSELoss(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loader": [(torch.tensor(x), torch.tensor(y)) for x, y in batches],
        "other_test": lrsched_jax.range_test(loss_fn, jnp.zeros(4), batches, progress=False),
    }


def test_the_console_shows_what_it_shows(names: dict[str, Any]) -> None:
    attempted = 0
    for block in blocks("pycon"):
        session = doctest.DocTestParser().get_doctest(block, names, "README.md", "README.md", 0)
        failures, attempts = doctest.DocTestRunner().run(session)
        assert failures == 0
        attempted += attempts
    pyplot.close("all")
    assert attempted == 14


def test_the_tables_name_every_schedule_and_nothing_that_is_none() -> None:
    first_cells = re.findall(r"^\| (`\w+(?: \* \w+)?\(.*?) \|", README, re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"(?<=`)\w+(?=`)|\w+(?=\()", cell)}
    assert named >= {name for name in REGISTRY if name in lrsched.__all__}
    assert named <= set(lrsched.__all__)


def test_the_refusal_that_it_quotes_is_the_real_one() -> None:
    with pytest.raises(ValueError, match="cyclic") as raised:
        lrsched.cyclic(0.001, 0.006, up_steps=0)
    assert f"`{raised.value}`" in README

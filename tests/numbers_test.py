"""The tables of docs/explanation/numbers.md say what types values and updates have."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lrsched
from lrsched.controllers import reduce_on_plateau
from tests.optional import needing, needs

PAGE = (Path(__file__).parents[1] / "docs/explanation/numbers.md").read_text(encoding="utf-8")
LIBRARIES = {"np": "numpy", "jnp": "jax", "torch": "torch", "tf": "tensorflow"}
MODULES = {"np": "numpy", "jnp": "jax.numpy", "torch": "torch", "tf": "tensorflow"}
RATE, GRADIENT = 1.003, 99.0  # 99.5 in bfloat16, but 99 from a rate that is rounded to it


def rows(heading: str) -> list[tuple[str, ...]]:
    """The rows of the table whose first column has this heading."""
    _, _, below = PAGE.partition(f"| {heading} |")
    lines = below.partition("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def case(count: str, value: str) -> Any:
    alias = re.match(r"`(\w+)", count)
    assert alias is not None
    return needing(LIBRARIES.get(alias[1], "numpy"), count, value, id=count)


@contextlib.contextmanager
def condition(text: str, option: str | None) -> Iterator[None]:
    """What a row says after its count, with one of the types that it names."""
    if "x64" in text:
        with needs("jax").enable_x64(True):
            yield
    elif option is not None:
        torch = needs("torch")
        torch.set_default_dtype(getattr(torch, option))
        yield
        torch.set_default_dtype(torch.float32)
    else:
        yield


@pytest.mark.parametrize(("count", "value"), [case(*row) for row in rows("count")])
def test_values_have_the_types_of_the_table(count: str, value: str) -> None:
    code, text = re.findall("`(.+)`(.*)", count)[0]
    names = {alias: needs(module) for alias, module in MODULES.items() if f"{alias}." in code}
    for option in re.findall(r"b?float\d+", text) or [None]:
        with condition(text, option):
            found = lrsched.cosine_decay(0.1, 100)(eval(code, names))
        assert described(found) == value


def described(value: Any) -> str:
    if type(value) is float:
        return "Python float"
    library = {"numpy": "NumPy", "torch": "torch", "tensorflow": "TensorFlow"}
    name = library.get(type(value).__module__.partition(".")[0], "JAX")
    return f"{name}, {re.findall(r'float[0-9]+', str(value.dtype))[0]}"


@pytest.mark.parametrize("row", rows("optimizer"), ids=lambda row: row[0])
def test_updates_have_the_types_of_the_table(row: tuple[str, ...]) -> None:
    jnp, optax, adapter = needs("jax.numpy"), needs("optax"), needs("lrsched_jax", "optax")
    names = {"jnp": jnp, "optax": optax, "inject": optax.inject_hyperparams, **vars(adapter)}
    names |= {"schedule": lrsched.constant(RATE), "plateau": reduce_on_plateau(RATE)}
    optimizer = optax.with_extra_args_support(eval(row[0].strip("`"), names))
    columns = ("float32", "bfloat16", "float32 bfloat16")
    for column, expected in zip(columns, row[1:4], strict=True):
        params = [jnp.asarray(GRADIENT, dtype) for dtype in column.split()]
        updates, _ = optimizer.update(params, optimizer.init(params), params, value=1.0)
        assert ", ".join(str(update.dtype) for update in updates) == expected
        if column == "bfloat16":
            rate = jnp.asarray(RATE, row[4]).astype("float32")
            assert updates[0] == jnp.asarray(-rate * GRADIENT, updates[0].dtype)
    assert jnp.bfloat16(RATE) * GRADIENT != jnp.asarray(RATE * GRADIENT, "bfloat16")


def test_adam_is_injected_in_bfloat16_with_static_betas() -> None:
    """What the page advises, as 0.999 is 1 in bfloat16."""
    jnp, optax = needs("jax.numpy"), needs("optax")
    static = ("b1", "b2", "eps", "eps_root")
    optimizer = optax.inject_hyperparams(optax.adam, static)(lrsched.constant(0.5))
    params = jnp.ones(3, "bfloat16")
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    np.testing.assert_allclose(updates.astype("float32"), -0.5, rtol=2.0**-6)


def test_the_tables_are_found() -> None:
    assert len(rows("count")) == 9
    assert len(rows("optimizer")) == 6

"""`reduce_on_plateau` against optax's own."""

from collections.abc import Sequence

from tests.optional import needs

needs("jax")
needs("optax")

import jax.numpy as jnp
import optax
import pytest

from lrsched.controllers import reduce_on_plateau
from tests.plateaus import rates_of, states, torchs


def contrib(patience: int, metrics: Sequence[float]) -> list[float]:
    """The scales of optax's own after each metric."""
    transformation = optax.contrib.reduce_on_plateau(0.5, patience)
    state, found = transformation.init(jnp.ones(())), []
    for metric in metrics:
        _, state = transformation.update(jnp.ones(()), state, value=metric)
        found.append(float(state.scale))
    return found


@pytest.mark.parametrize(
    ("patience", "metrics", "ours", "optaxs"),
    [
        (2, [1.0] * 5, [1.0, 1.0, 1.0, 0.5, 0.5], [1.0, 1.0, 0.5, 0.5, 0.25]),
        (0, [1.0] * 4, [1.0, 0.5, 0.25, 0.125], [0.5, 0.5, 0.5, 0.5]),
        (0, [4.0, 3.0, 2.0, 1.0], [1.0] * 4, [0.5, 0.25, 0.125, 0.0625]),
    ],
)
def test_where_optaxs_own_differs(
    patience: int, metrics: list[float], ours: list[float], optaxs: list[float]
) -> None:
    """It cuts an observation early, and with a patience of 0 when the metric gets better."""
    plateau = reduce_on_plateau(1.0, 0.5, patience)
    assert [lr for (lr,) in rates_of(torchs(plateau), metrics)] == ours
    assert [state.value for state in states(plateau, metrics)] == ours
    assert contrib(patience, metrics) == optaxs

"""The registration of schedules with JAX, whenever JAX is imported."""

import pytest

from tests.optional import needs
from tests.processes import run_python

needs("jax")


@pytest.mark.parametrize(
    "use",
    [
        "jax.jit(lambda s, n: s(n))(schedule, 5)",
        "jax.grad(lambda s: s(5), allow_int=True)(schedule)",
        "jax.vmap(lambda s, n: s(n), (None, 0))(schedule, jax.numpy.arange(3))",
        "assert len(jax.tree.leaves(schedule)) == 3",
        "from jax import tree_util; assert len(tree_util.tree_leaves(schedule)) == 3",
    ],
)
def test_a_schedule_made_before_jax_is_imported_is_a_pytree_afterwards(use: str) -> None:
    code = f"""
import sys, lrsched
schedule = lrsched.linear(1.0, 0.0, 10)
assert "jax" not in sys.modules
import jax
assert not any("lrsched" in type(finder).__module__ for finder in sys.meta_path)
{use}
"""
    run_python(code)


def test_a_plateau_made_before_jax_is_a_pytree_after_init() -> None:
    run_python(
        "from lrsched.plateau import reduce_on_plateau\n"
        "plateau = reduce_on_plateau(0.1)\n"
        "import jax\n"
        "state = plateau.init()\n"
        "jax.jit(lambda plateau, state: plateau.update(state, 1.0))(plateau, state)\n"
    )

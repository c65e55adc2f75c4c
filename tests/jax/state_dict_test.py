"""Schedules and plateaus in `flax.serialization`, and in trees that Flax and Orbax save."""

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")
needs("orbax")

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp  # type: ignore[import-untyped]
import pytest
from flax.serialization import from_bytes, from_state_dict, to_bytes, to_state_dict
from flax.training.train_state import TrainState
from hypothesis import given
from hypothesis import strategies as st

import lrsched
from lrsched import Schedule, epochs
from tests.durations import durations
from tests.processes import run_python
from tests.strategies import BY_NAME, NAMES, schedules

NESTED = lrsched.warmup(
    lrsched.join([lrsched.cyclic(0.01, 0.1, 5), lrsched.piecewise_constant([0.1, 0.2], [8])], [20]),
    epochs(1.5) - 3,
    shape="cosine",
)
OPTIMIZER = optax.chain(optax.clip(1.0), optax.adam(lrsched.constant(0.1)))
PLATEAU = lrsched.reduce_on_plateau(0.1, patience=3, mode="max")


def assert_is_kept(tree: Any) -> None:
    """As a state dict and as bytes, restored into a tree of other numbers."""
    like = jax.tree.map(lambda leaf: 0 * leaf, tree)
    assert from_state_dict(like, to_state_dict(tree)) == tree
    assert from_bytes(like, to_bytes(tree)) == tree


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule(name: str) -> None:
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        assert_is_kept(schedule)

    check()


@given(st.one_of(schedules, st.builds(lrsched.delay, schedules, durations)))
def test_nested_schedules_and_durations(schedule: Schedule) -> None:
    assert_is_kept({"schedules": [schedule, (schedule,)]})


@pytest.mark.parametrize("plateau", [PLATEAU, lrsched.reduce_on_plateau(0.1, 0.5, cooldown=2)])
def test_plateaus_and_their_states(plateau: Any) -> None:
    assert_is_kept(plateau)
    assert_is_kept((plateau, plateau.update(plateau.init(), 3.0)))


def test_the_state_is_the_numbers_by_name() -> None:
    schedule = lrsched.warmup(lrsched.join([lrsched.constant(0.1)] * 2, [7]), epochs(1))
    constant = {"constant": {"value": 0.1}}
    join = {"schedules": {"0": constant, "1": constant}, "boundaries": {"0": 7}}
    state = {"schedule": {"join": join}, "warmup_steps": {}, "init_value": 0.0}
    assert to_state_dict(schedule) == {"warmup": state}


def test_arrays_stay_arrays() -> None:
    batch = jax.vmap(lambda peak: lrsched.cosine_decay(peak, 10))(jnp.asarray([0.1, 0.2]))
    restored = from_bytes(batch, to_bytes(batch))
    assert restored == batch
    assert isinstance(restored.params["init_value"], np.ndarray)


class Recipe(TrainState):  # type: ignore[no-untyped-call]
    """A state with a schedule and a plateau beside the parameters."""

    schedule: Any
    plateau: Any
    plateau_state: Any


def recipe_of(schedule: Any) -> Recipe:
    """Whose optimizer has moments of a schedule that is learned."""
    learned = jax.tree.map(jnp.float32, lrsched.exponential_decay(0.1, 0.9, 5))
    made: Recipe = Recipe.create(  # type: ignore[no-untyped-call]
        apply_fn=None,
        params={"weights": jnp.ones(3), "schedule": learned},
        tx=OPTIMIZER,
        schedule=schedule,
        plateau=PLATEAU,
        plateau_state=PLATEAU.init(),
    )
    return made


def assert_equal(first: Any, second: Any) -> None:
    structures: Any = tuple(map(jax.tree.structure, (first, second)))
    assert structures[0] == structures[1]
    jax.tree.map(np.testing.assert_array_equal, first, second)


def test_a_train_state_and_the_moments_of_a_learned_schedule() -> None:
    gradients = jax.tree.map(jnp.ones_like, recipe_of(NESTED).params)
    state = recipe_of(NESTED).apply_gradients(grads=gradients)  # type: ignore[no-untyped-call]
    moments = state.opt_state[1][0].mu["schedule"]
    assert moments.name == "exponential_decay"
    assert moments.params["init_value"] > 0
    restored = from_bytes(recipe_of(NESTED), to_bytes(state))
    assert_equal(restored, state)
    assert restored.schedule == NESTED
    assert_equal(from_state_dict(recipe_of(NESTED), to_state_dict(state)), state)


class Counted(NamedTuple):
    """A state of an optimizer that holds its schedule."""

    count: Any
    schedule: Any


@flax.struct.dataclass
class Held:
    """A dataclass that holds one."""

    schedule: Any


@pytest.mark.parametrize(
    "tree",
    [
        {"a": [NESTED, PLATEAU]},
        optax.MaskedState(Counted(3, NESTED)),
        Held(NESTED),
        lrsched.epochs(3),
    ],
)
def test_any_tree(tree: Any) -> None:
    assert_is_kept(tree)


@pytest.mark.parametrize(
    ("saved", "target", "message"),
    [
        (lrsched.anneal(1.0, 0.0, 5), lrsched.linear(1.0, 0.0, 5), "not present in state dict"),
        (lrsched.linear(1.0, 0.0, 5), NESTED, "target dict contains keys {'warmup'}"),
        (lrsched.linear(1.0, 0.0, 5), lrsched.linear(1.0, 0.0, epochs(3)), "from_state_dict: stat"),
        (lrsched.linear(1.0, 0.0, epochs(3)), lrsched.linear(1.0, 0.0, 5), "from_state_dict: stat"),
        (lrsched.cyclic(0.1, 1.0, 5), lrsched.cyclic(0.1, 1.0, 5, 6), "of the structure of cyclic"),
        (lrsched.cyclic(0.1, 1.0, 5, 6), lrsched.cyclic(0.1, 1.0, 5), "of the structure of cyclic"),
        (
            lrsched.piecewise_constant([1.0, 2.0], [3]),
            lrsched.piecewise_constant([1.0], []),
            "size",
        ),
        (PLATEAU, lrsched.constant(0.1), "target dict contains keys {'constant'}"),
        (lrsched.constant(0.1), PLATEAU, "target dict contains keys {'"),
        (0.5, NESTED, "from_state_dict: state must be one of the structure of warmup.*, got 0.5"),
        (0.5, PLATEAU, "state must be one of the structure of reduce_on_plateau.*, got 0.5"),
    ],
)
def test_the_state_of_another_recipe_is_refused(saved: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_state_dict([target], to_state_dict([saved]))


SCHEDULE = "import lrsched; schedule = lrsched.linear(1.0, 0.0, 10)\n"
KEPT = """
from flax.serialization import from_bytes, to_bytes
assert from_bytes({"a": schedule}, to_bytes({"a": schedule})) == {"a": schedule}
"""


@pytest.mark.parametrize("code", ["{0}import jax{1}", "{0}{1}", "import flax\n{0}{1}"])
def test_flax_is_imported(code: str) -> None:
    """Whenever: a schedule was made before, and only passed on."""
    run_python(code.format(SCHEDULE, KEPT))


def test_the_check_can_fail() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run_python(f"{SCHEDULE}import lrsched._core.when_imported as w; w._waiting.clear(){KEPT}")


def test_orbax_saves_and_restores_them(tmp_path: Path) -> None:
    state = {"schedules": [NESTED, lrsched.cyclic(0.1, 1.0, 5)], "plateau": PLATEAU}
    state["moments"] = optax.adam(0.1).init(jax.tree.map(jnp.float32, state))
    like = jax.tree.map(lambda leaf: 0 * leaf, state)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "saved", state)
    with ocp.StandardCheckpointer() as checkpointer:
        assert_equal(checkpointer.restore(tmp_path / "saved", like), state)

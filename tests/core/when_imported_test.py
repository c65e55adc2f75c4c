"""The registration of schedules with JAX, whenever and however JAX is imported.

Each case is a process of its own, in which JAX is not imported yet.
"""

from pathlib import Path

import pytest

from tests.optional import needs
from tests.processes import run_python

needs("jax")

SCHEDULE = """
import importlib, importlib.machinery, importlib.util, sys
import lrsched

schedule = lrsched.linear(1.0, 0.0, 10)
assert "jax" not in sys.modules
"""
IS_A_PYTREE = """
assert len(jax.tree.leaves(schedule)) == 3
assert jax.jit(lambda schedule, count: schedule(count))(schedule, 5) == 0.5
"""


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
    run_python(f"{SCHEDULE}import jax\n{use}")


def test_a_plateau_made_before_jax_is_a_pytree_after_init() -> None:
    run_python(
        "from lrsched.plateau import reduce_on_plateau\n"
        "plateau = reduce_on_plateau(0.1)\n"
        "import jax\n"
        "state = plateau.init()\n"
        "jax.jit(lambda plateau, state: plateau.update(state, 1.0))(plateau, state)\n"
    )


def test_a_schedule_of_a_configuration_module_is_passed_on_as_it_is(tmp_path: Path) -> None:
    """Nothing of lrsched is called between the import of JAX and the use of the schedule."""
    (tmp_path / "recipe.py").write_text("import lrsched\nschedule = lrsched.linear(1.0, 0.0, 10)\n")
    (tmp_path / "training.py").write_text(
        "from recipe import schedule\n"
        "import jax\n"
        "value = jax.jit(lambda schedule, count: schedule(count))(schedule, 5)\n"
    )
    run_python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import training; assert training.value == 0.5"
    )


def test_the_import_leaves_nothing_behind() -> None:
    """Neither a finder of ours nor a loader, so that JAX can be reloaded and its files be read."""
    run_python(
        SCHEDULE
        + """
import jax
assert not any(type(finder).__module__.startswith("lrsched") for finder in sys.meta_path)
assert type(jax.__loader__) is importlib.machinery.SourceFileLoader
assert jax.__spec__.loader is jax.__loader__
assert jax.__loader__.get_filename("jax") == jax.__file__
"""
    )


def test_looking_for_jax_is_not_importing_it() -> None:
    run_python(
        SCHEDULE
        + """
spec = importlib.util.find_spec("jax")
assert spec.origin.endswith("__init__.py") and "jax" not in sys.modules
assert spec.loader.get_filename("jax") == spec.origin
import jax
"""
        + IS_A_PYTREE
    )


SHARED_LOADER = """
import importlib.machinery, sys

class Shared:
    # Finder and loader of all modules in one, as pytest's is.
    def __init__(self):
        self.loaders = {}

    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            self.loaders[name] = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.loaders[module.__name__].exec_module(module)

shared = Shared()
sys.meta_path.insert(0, shared)
"""


def test_a_loader_that_many_modules_share_stays_as_it_is() -> None:
    run_python(
        SHARED_LOADER
        + SCHEDULE
        + "import jax"
        + IS_A_PYTREE
        + """
assert jax.__loader__ is jax.__spec__.loader is shared
assert vars(shared).keys() == {"loaders"}
import colorsys
assert colorsys.__loader__ is shared
assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0.0)
"""
    )


def test_an_import_of_jax_that_is_interrupted_can_be_repeated() -> None:
    run_python(
        SCHEDULE
        + """
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "jax.numpy":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
try:
    import jax
except KeyboardInterrupt:
    assert "jax" not in sys.modules
else:
    raise AssertionError("it was not interrupted")
import jax
assert not any(type(finder).__module__.startswith("lrsched") for finder in sys.meta_path)
"""
        + IS_A_PYTREE
    )


HIDDEN = (
    SCHEDULE
    + """
class First:
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, path, target)

sys.meta_path.insert(0, First())
import jax
"""
)


@pytest.mark.parametrize(
    "touch",
    [
        "lrsched.constant(1.0)",
        "schedule(jax.numpy.asarray(5))",
        "schedule = lrsched.linear(1.0, 0.0, 10)",
    ],
)
def test_a_finder_in_front_only_delays_the_registration(touch: str) -> None:
    """Until a schedule is made, or called with an array."""
    run_python(f"{HIDDEN}{touch}\n{IS_A_PYTREE}")


def test_the_finder_in_front_hides_the_import() -> None:
    """Without a touch the schedule is no pytree: the test before would show nothing else."""
    run_python(f"{HIDDEN}assert jax.tree.leaves(schedule) == [schedule]")

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
        "from lrsched.controllers import reduce_on_plateau\n"
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


def test_jax_is_imported_as_without_lrsched() -> None:
    """By its own loader; the finder that remains finds nothing."""
    run_python(
        SCHEDULE
        + """
import jax
assert type(jax.__loader__) is importlib.machinery.SourceFileLoader
assert jax.__spec__.loader is jax.__loader__
assert jax.__loader__.get_filename("jax") == jax.__file__
ours = [x for x in sys.meta_path if type(x).__module__.startswith("lrsched")]
assert len(ours) == 1 and ours[0].find_spec("jax") is None
"""
        + IS_A_PYTREE
    )


WAYS_TO_IMPORT = {
    "import_module": """
jax = importlib.import_module("jax")
""",
    "looked for before and after": """
for _ in range(3):
    spec = importlib.util.find_spec("jax")
    assert spec.origin.endswith("__init__.py") and "jax" not in sys.modules
    assert spec.loader.get_filename("jax") == spec.origin
import jax
assert importlib.util.find_spec("jax") is jax.__spec__
""",
    "a private part first": """
from jax._src import core
import jax
""",
    "reloaded": """
import jax
importlib.reload(jax)
""",
    "deleted and imported again": """
import jax
del sys.modules["jax"]
import jax
""",
    "lazily": """
spec = importlib.util.find_spec("jax")
spec.loader = importlib.util.LazyLoader(spec.loader)
jax = sys.modules["jax"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jax)
lrsched.constant(0.1).replace(value=0.2)(3), schedule(3)
assert "jax._src" not in sys.modules  # none of these has loaded it
""",
    "by a script that is run": """
import runpy
globals().update(runpy.run_path(script))
""",
    "from a zip file": """
import zipfile
with zipfile.ZipFile(script + ".zip", "w") as archive:
    archive.writestr("zipped.py", "import jax")
sys.path.insert(0, script + ".zip")
from zipped import jax
""",
    "by a schedule's pickle": """
import pickle
schedule = pickle.loads(pickle.dumps(schedule))
import jax
""",
    "a schedule's pickle, read later": """
import pickle
pickled = pickle.dumps(schedule)
del schedule
import jax
schedule = pickle.loads(pickled)
""",
    "in many threads": """
import threading
def run():
    together.wait()
    import jax
    counts.append(len(jax.tree.leaves(schedule)))
together, counts = threading.Barrier(8), []
threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert counts == [3] * 8
import jax
""",
    "in a thread, while schedules are made": """
import threading
def run():
    import jax
thread = threading.Thread(target=run)
thread.start()
while thread.is_alive():
    lrsched.linear(1.0, 0.0, 10)(5)
thread.join()
import jax
""",
}


@pytest.mark.parametrize("code", [pytest.param(x, id=name) for name, x in WAYS_TO_IMPORT.items()])
def test_jax_is_imported(code: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import jax")
    run_python(f"{SCHEDULE}script = {str(script)!r}\n{code}{IS_A_PYTREE}")


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


@pytest.mark.parametrize(
    ("at", "error"),
    [
        ("jax", "ImportError"),
        ("jax._src.api", "KeyboardInterrupt"),  # JAX's own import cannot be repeated from anywhere
        ("jax.lib", "KeyboardInterrupt"),
    ],
)
def test_an_import_of_jax_that_is_interrupted_can_be_repeated(at: str, error: str) -> None:
    run_python(
        SCHEDULE
        + f"""
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {at!r}:
            sys.meta_path.remove(self)
            raise {error}

sys.meta_path.insert(0, Interrupting())
try:
    import jax
except {error}:
    assert "jax" not in sys.modules
else:
    raise AssertionError("it was not interrupted")
lrsched.constant(0.1)
import jax
"""
        + IS_A_PYTREE
    )


@pytest.mark.parametrize("finds", ["True", "name == 'jax'", "name.startswith('jax')"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_another_finder_in_front_finds_jax(when: str, finds: str) -> None:
    """Also after our own one was put in front: nothing of lrsched is called after the import."""
    front = f"""
import importlib.machinery, sys
class First:
    def find_spec(self, name, path=None, target=None):
        if {finds}:
            return importlib.machinery.PathFinder.find_spec(name, path, target)

sys.meta_path.insert(0, First())
"""
    parts = (front, SCHEDULE) if when == "before" else (SCHEDULE, front)
    run_python(f"{''.join(parts)}import jax{IS_A_PYTREE}")


HIDDEN = (
    "import sys; finders = list(sys.meta_path)\n"
    + SCHEDULE
    + "sys.meta_path[:] = finders  # as by a test that undoes what it did\nimport jax\n"
)


@pytest.mark.parametrize(
    "touch",
    [
        "lrsched.constant(1.0)",
        "schedule(jax.numpy.asarray(5))",
        "schedule = lrsched.linear(1.0, 0.0, 10)",
    ],
)
def test_without_the_finder_the_registration_is_only_delayed(touch: str) -> None:
    """Until a schedule is made, or called with an array."""
    run_python(f"{HIDDEN}{touch}\n{IS_A_PYTREE}")


def test_without_the_finder_the_import_is_hidden() -> None:
    """Without a touch the schedule is no pytree: the test before would show nothing else."""
    run_python(f"{HIDDEN}assert jax.tree.leaves(schedule) == [schedule]")


UNDER_PYTEST = {
    "inside a test": {},
    "in a conftest": {"conftest.py": "import recipe, jax\n"},
    "in a plugin": {"conftest.py": "pytest_plugins = ['plugin']\n", "plugin.py": "import jax\n"},
    "before the recipe, in a plugin": {
        "conftest.py": "pytest_plugins = ['plugin']\n",
        "plugin.py": "import jax\nimport recipe\n",
    },
}


@pytest.mark.parametrize("files", [pytest.param(x, id=name) for name, x in UNDER_PYTEST.items()])
def test_jax_is_imported_under_pytest(files: dict[str, str], tmp_path: Path) -> None:
    """Whose loader is shared by the tests, the conftest and the plugins."""
    test = """
from recipe import schedule

def test_it():
    import jax
    assert len(jax.tree.leaves(schedule)) == 3
    assert jax.jit(lambda schedule, count: schedule(count))(schedule, 5) == 0.5
"""
    recipe = "import lrsched\nschedule = lrsched.linear(1.0, 0.0, 10)\n"
    for name, text in {"recipe.py": recipe, "it_test.py": test, **files}.items():
        (tmp_path / name).write_text(text)
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    run_python(
        f"import sys, pytest; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"assert pytest.main([{str(tmp_path / 'it_test.py')!r}, *{options!r}]) == 0"
    )

"""What importing lrsched shows, costs and pulls in."""

import subprocess

import pytest

import lrsched
from tests.optional import needing
from tests.processes import run_python

HEAVY = "{'jax', 'jaxlib', 'torch', 'numpy', 'optax', 'flax', 'matplotlib', 'array_api_compat'}"
CHECK = f"import sys; found = {HEAVY} & set(sys.modules); assert not found, found"


def test_dir_shows_public_names_only() -> None:
    assert sorted(dir(lrsched)) == sorted([*lrsched.__all__, "__version__", "range_test", "sweep"])
    assert all(hasattr(lrsched, name) for name in dir(lrsched))
    assert not any(name.startswith("_") for name in lrsched.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'cosine'"):
        getattr(lrsched, "cosine")  # noqa: B009 - mypy knows that there is none


def test_a_range_test_is_public_and_imported_on_first_use() -> None:
    run_python(
        f"import lrsched; {CHECK}; first = lrsched.RangeTest\n"
        "from lrsched import RangeTest\n"
        "from lrsched.range_test import RangeTest as same\n"
        "assert first is RangeTest is same is lrsched.range_test.RangeTest\n"
        "assert RangeTest.__module__ == 'lrsched.range_test'"
    )


def test_every_public_name_can_be_used_after_import_lrsched() -> None:
    run_python("import lrsched; [getattr(lrsched, name) for name in dir(lrsched)]")


def test_importing_lrsched_imports_no_array_library() -> None:
    run_python(f"import lrsched; {CHECK}")


def test_plain_python_use_imports_no_array_library() -> None:
    run_python(
        "import lrsched\n"
        "s = lrsched.warmup(lrsched.cosine_decay(0.1, 100), 10) * 0.5\n"
        "s(7), repr(s), hash(s), s.replace(), lrsched.from_json(s.to_json()), s._repr_svg_()\n"
        + CHECK
    )


@pytest.mark.parametrize("library", [needing(x, x) for x in ("jax", "torch", "numpy")])
def test_the_check_can_fail(library: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run_python(f"import lrsched, {library}; {CHECK}")


@pytest.mark.parametrize(
    "adapter", [needing("torch", "lrsched_torch"), needing("jax", "lrsched_jax")]
)
def test_an_adapter_imports_only_its_own_framework(adapter: str) -> None:
    other = {"lrsched_torch": "jax", "lrsched_jax": "torch"}[adapter]
    run_python(f"import sys, {adapter}; assert {other!r} not in sys.modules")


def test_importing_lrsched_takes_less_than_a_package_of_the_standard_library() -> None:
    """Of the processor's time, the best of a few: the first compiles."""

    def cost(package: str) -> float:
        clock = "import time; t = time.process_time()"
        return float(run_python(f"{clock}; import {package}; print(time.process_time() - t)"))

    costs = [(cost("lrsched"), cost("asyncio")) for _ in range(8)]
    assert min(ours for ours, _ in costs) < min(theirs for _, theirs in costs)

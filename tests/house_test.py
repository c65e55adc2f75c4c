"""The imports of the sources: each room imports only from rooms below it, and no circle exists."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the ground up; rooms on one line share a floor. A name with a star is a folder.
ROOMS = (
    ("lrsched._arrays.*",),
    (
        "lrsched._atomic",
        "lrsched._diff_report",
        "lrsched._optional",
        "lrsched._set_module",
        "lrsched._old_paths",
    ),
    ("lrsched._plotting",),
    ("lrsched._core.*",),
    ("lrsched._numerics.*",),
    ("lrsched._evaluate", "lrsched.diff", "lrsched.plot"),
    ("lrsched.controllers.*",),
    ("lrsched.schedules.*",),
    ("lrsched.formats.*",),
    ("lrsched.configs.*",),
    ("lrsched.range_test.reading.*",),
    ("lrsched.range_test.result.*",),
    ("lrsched.range_test.running.*",),
    ("lrsched.range_test",),
    ("lrsched.sweep.*",),
    ("lrsched",),
    ("lrsched.explorer.*",),
    ("lrsched.cli.*",),
    ("lrsched.__main__",),
    ("lrsched_torch._schedulers.*",),
    ("lrsched_torch._snapshot.*",),
    ("lrsched_torch._convert.*",),
    ("lrsched_torch._range_test.*",),
    ("lrsched_torch._lightning.*", "lrsched_torch._transformers.*"),
    ("lrsched_torch",),
    ("lrsched_torch.lightning", "lrsched_torch.transformers"),
    ("lrsched_jax.*",),
    ("lrsched_keras.*",),
)


def is_for_adapters(module: str, room: str) -> bool:
    """Whether adapters may import it: what is public, and what `lrsched._core` itself lists."""
    shared = ("lrsched", "lrsched._core", "lrsched.formats.torch_classes")
    return module in shared or room.startswith(("lrsched.range_test", "lrsched.sweep"))


def sources(root: Path) -> dict[str, Path]:
    """The modules of the library and of the adapters, by name."""
    found = {}
    for top in (root, root / "adapters"):
        for path in top.glob("lrsched*/**/*.py"):
            parts = path.relative_to(top).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else str(node.module) for name in inner]
        else:
            continue
        yield from (name for name in names if name in modules)


def room_of(module: str) -> tuple[str, int]:
    """The room that a module is in, and its floor."""
    for floor, rooms in enumerate(ROOMS):
        for room in rooms:
            if module == room or (room[-1] == "*" and f"{module}.".startswith(room[:-1])):
                return room, floor
    raise AssertionError(f"{module} is in no room: add it to ROOMS")


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle of imports, or none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return path[path.index(module) :]
        if module not in done:
            for other in sorted(graph[module]):
                if found := visit(other, [*path, module]):
                    return found
            done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := visit(module, []))), [])


def violations(root: Path) -> list[str]:
    """What is wrong with the imports of a tree, a line each."""
    modules = sources(root)
    graph = {name: set(imports(path, modules)) - {name} for name, path in modules.items()}
    found = []
    for module, imported in sorted(graph.items()):
        top, (_, floor) = module.partition(".")[0], room_of(module)
        for other in sorted(imported):
            other_top, (room, other_floor) = other.partition(".")[0], room_of(other)
            if other_floor > floor:
                found.append(f"{module} imports upward: {other}")
            if top != other_top == "lrsched" and not is_for_adapters(other, room):
                found.append(f"{module} imports what is not for adapters: {other}")
            if top != other_top != "lrsched":
                found.append(f"{module} imports another adapter: {other}")
    if loop := circle(graph):
        found.append(f"a circle: {' -> '.join([*loop, loop[0]])}")
    return found


def test_the_imports_of_the_sources() -> None:
    assert len(sources(ROOT)) > 80
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("module", "code", "expected"),
    [
        ("lrsched/_core/checks.py", "from lrsched.schedules.ramp import linear", "upward"),
        ("lrsched/_core/checks.py", "def f():\n    import lrsched.cli.commands", "upward"),
        ("lrsched/_arrays/namespace.py", "from lrsched._arrays import compiler", "a circle"),
        ("lrsched/diff.py", "import lrsched_torch", "upward"),
        ("adapters/lrsched_jax/_x.py", "from lrsched.schedules import ramp", "not for adapters"),
        ("adapters/lrsched_jax/_x.py", "from lrsched._numerics import shapes", "not for adapters"),
        ("adapters/lrsched_jax/_x.py", "from lrsched._core.checks import x", "not for adapters"),
        ("adapters/lrsched_keras/_x.py", "import lrsched_jax", "another adapter"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, module: str, code: str, expected: str) -> None:
    tree = {
        "lrsched/__init__.py": "",
        "lrsched/_arrays/compiler.py": "from lrsched._arrays import namespace",
        "lrsched/schedules/ramp.py": "from lrsched._core import checks",
        "lrsched/_core/checks.py": "",
        "lrsched/_arrays/namespace.py": "",
        "lrsched/_numerics/shapes.py": "",
        "lrsched/cli/commands.py": "import lrsched",
        "adapters/lrsched_jax/__init__.py": "from lrsched import Schedule",
        "adapters/lrsched_torch/__init__.py": "",
    }
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert violations(tmp_path) == []
    (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / module).write_text(code)
    found = violations(tmp_path)
    assert any(expected in line for line in found), found

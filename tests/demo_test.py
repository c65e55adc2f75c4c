"""The example of the README in a small form: what `make demo` writes."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.optional import needs

needs("jax")
needs("optax")
needs("flax")
needs("torch")
needs("sklearn")
needs("tqdm")
needs("matplotlib")

import pytest
from matplotlib import image

import lrsched

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits.py"
FRAMEWORKS = ("JAX", "torch")
SCHEDULES = ("constant", "cyclic", "cosine_restarts", "warmup + cosine_decay")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "results"
    command = [sys.executable, str(EXAMPLE), "--epochs", "1", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "JAX range test" in done.stderr  # the progress bars
    for schedule in SCHEDULES:
        assert f"\n{schedule} " in done.stdout
    assert str(out.resolve() / "report.html") in done.stdout
    return out


@pytest.fixture(scope="module")
def summary(demo: Path) -> Any:
    return json.loads((demo / "summary.json").read_text(encoding="utf-8"))


def numbers(data: Any) -> list[float]:
    if isinstance(data, dict):
        return [number for value in data.values() for number in numbers(value)]
    return [data] if isinstance(data, float) else []


def test_it_writes_four_files(demo: Path) -> None:
    names = {"range_test.png", "training.png", "summary.json", "report.html"}
    assert {path.name for path in demo.iterdir()} == names


@pytest.mark.parametrize("name", ["range_test.png", "training.png"])
def test_the_figures_show_something(demo: Path, name: str) -> None:
    pixels = image.imread(demo / name)
    height, width, _ = pixels.shape
    assert height >= 500
    assert width >= 1000
    assert 0.01 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.5  # ink on white


def test_the_summary_is_of_finite_numbers(summary: Any) -> None:
    assert tuple(summary["training"]) == SCHEDULES
    assert set(summary["versions"]) >= {"lrsched", "jax", "flax", "optax", "torch", "numpy"}
    assert all(map(math.isfinite, numbers(summary)))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_range_test_reads_a_usable_rate(summary: Any, framework: str) -> None:
    found = summary["range_tests"][framework]
    assert 1e-3 < found["suggested"] < 0.3
    assert found["updates"] > 100
    assert found["stopped"] in ("finished", "diverged", "nonfinite")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_both_frameworks_use_the_same_rates(summary: Any, schedule: str) -> None:
    assert summary["training"][schedule]["largest_relative_difference_of_rates"] < 1e-6


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_networks_learn(summary: Any, schedule: str, framework: str) -> None:
    assert summary["training"][schedule][framework]["accuracy"] > 0.25  # chance is 0.1


def test_the_report_is_one_file_with_figures_and_recipes(demo: Path, summary: Any) -> None:
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == page.count("src=") == 2
    assert "http" not in page
    for name, training in summary["training"].items():
        assert f"<td>{name}<td>" in page
        recipe = lrsched.from_dict(training["recipe"])
        assert f"<code>{recipe!r}</code>" in page

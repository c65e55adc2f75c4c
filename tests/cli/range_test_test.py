"""The command `lrsched range-test`."""

import re
import sys
from pathlib import Path
from types import ModuleType

from tests.optional import needing, needs

needs("click")

import pytest
from click.testing import Result

from lrsched.cli.range_test import _framework as framework_of
from lrsched.cli.setup_examples import EXAMPLES
from lrsched.range_test import RangeTest
from tests.cli import invoke

SETUPS = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 64, 4)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32))[..., None]


def torch_step():
    import torch

    weights = torch.nn.Parameter(torch.zeros(4, 1))
    batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(X, Y)]

    def step(batch):
        loss = ((batch[0] @ weights - batch[1]) ** 2).mean()
        loss.backward()
        return loss

    optimizer = torch.optim.SGD([weights], lr=0.1)
    return {"step": step, "optimizer": optimizer, "batches": batches}


def torch_model():
    given = torch_step()
    import torch

    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return {
        "model": model,
        "loss_fn": torch.nn.functional.mse_loss,
        "optimizer": optimizer,
        "loader": given["batches"],
    }


def jax_loss():
    import jax.numpy as jnp

    def loss_fn(params, batch):
        return jnp.mean((batch[0] @ params - batch[1]) ** 2)

    return {
        "loss_fn": loss_fn,
        "params": jnp.zeros((4, 1)),
        "batches": list(zip(X, Y)),
    }


def nothing():
    return 3


def unnamed():
    return {"batches": []}


def positional():
    return tuple(torch_model().values())


def seeded(seed):
    assert seed == 0
    return jax_loss()


def named():
    return jax_loss() | {"framework": "jax"}


def misnamed():
    return jax_loss() | {"framework": "flax"}


three = 3


def counted():
    open("ran", "w").close()
    return jax_loss()


def wrong():
    return jax_loss() | {"epochs": 3}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "setups_of_a_user.py").write_text(SETUPS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "setups_of_a_user", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return invoke.run("range-test", *arguments, "--quiet")


@pytest.mark.parametrize(
    ("name", "framework"),
    [
        ("torch_step", "torch"),
        ("torch_model", "torch"),
        ("positional", "torch"),
        ("jax_loss", "jax"),
        ("seeded", "jax"),
        ("named", "jax"),
    ],
)
def test_it_runs_prints_draws_and_saves(name: str, framework: str, folder: Path) -> None:
    image = needs("matplotlib.image")
    needs(framework)
    place = f"setups_of_a_user:{name}"
    files = ("-o", "figure.png", "--save", "test.json")
    result = run(place, "--low", "1e-4", "--steps", "150", *files)
    assert result.exit_code == 0, result.output
    said, suggested, band, between, *_ = result.stdout.splitlines()
    test = RangeTest.load(folder / "test.json")
    assert said == f"{framework}: {test.summary}"
    low, pick, high = test.suggest()
    assert suggested == f"suggested: {pick:.3g}"
    assert band == "80 % band {:.2g} to {:.2g}".format(*test.suggest().band)
    assert between == f"range: {low:.3g} to {high:.3g}"
    assert test.learning_rates[0] == pytest.approx(1e-4)
    assert 0.01 < pick < 1.0
    assert image.imread(folder / "figure.png").shape[0] > 300


def test_a_probe_and_another_rule(folder: Path) -> None:
    needs("jax")
    place = "setups_of_a_user:jax_loss"
    refined = run(place, "--low", "1e-4", "--refine", "--save", "test.npz")
    assert refined.exit_code == 0, refined.output
    assert RangeTest.load(folder / "test.npz").probe is not None
    other = run(place, "--low", "1e-4", "--method", "minimum", "--max-steps", "200")
    assert other.exit_code == 0
    assert "band" not in other.stdout


@pytest.mark.parametrize("most", ["60", "150"])
def test_a_test_goes_on_as_far_as_it_may(most: str, folder: Path) -> None:
    """The loss still falls at 0.03; 90 updates suffice for trainings, not for a further ramp."""
    needs("jax")
    options = ("--low", "1e-5", "--high", "0.03", "--steps", "60", "--max-steps", most)
    result = run("setups_of_a_user:jax_loss", *options)
    assert result.exit_code == 0, result.output
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("jax: 60 updates at learning rates from 1e-05 to 0.03")
    assert ("trainings" in first) == (most == "150")
    if most == "60":
        assert last == "warning: the loss still falls at the last rates, to 0.03: raise high"


def test_the_suggestion_for_a_run(folder: Path) -> None:
    needs("jax")
    place, options = "setups_of_a_user:jax_loss", ("--low", "1e-4", "--max-steps", "200")
    for given, run_of in (
        (("--total-steps", "2000"), {"total_steps": 2000}),
        (("--shape", "one_cycle"), {"shape": "one_cycle"}),
    ):
        result = run(place, *options, *given, "--save", "test.json", "-o", "test.html")
        assert result.exit_code == 0, result.output
        test = RangeTest.load(folder / "test.json")
        expected = test.suggest(**run_of)
        assert expected != test.suggest()
        assert f"suggested: {expected.suggested:.3g}\n" in result.stdout
        page = (folder / "test.html").read_text()
        assert f"suggested {expected.suggested:.2g} (80 % band" in page


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--method", "best"), "suggest: method must be one of default, steepest, torch-lr-find"),
        (("--total-steps", "0"), "range-test: total_steps must be an integer >= 1 (steps), or No"),
        (("--shape", "round"), "range-test: shape must be 'constant' or 'warmup_cosine' or 'one"),
    ],
)
def test_a_wrong_run_is_refused_before_the_test_runs(
    wrong: tuple[str, ...], message: str, folder: Path
) -> None:
    result = run("setups_of_a_user:counted", *wrong)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"lrsched: {message}")
    assert len(result.stderr.splitlines()) == 1
    assert not (folder / "ran").exists()


def test_what_suggests_nothing_says_why(folder: Path) -> None:
    needs("jax")
    result = run("setups_of_a_user:jax_loss", "--steps", "5")
    assert result.exit_code == 0
    assert "no suggestion: only" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["setups_of_a_user"], "SETUP must be module:function, got 'setups_of_a_user'"),
        (
            ["setups_of_a_user:missing"],
            "SETUP must name a function of setups_of_a_user, got no such name for 'missing'",
        ),
        (["no_such_module:f"], "No module named 'no_such_module'"),
        (["setups_of_a_user:nothing"], "SETUP must return the arguments of a range test, or a"),
        (["setups_of_a_user:nothing"], "got 3; `lrsched range-test --example torch` prints one"),
        (["setups_of_a_user:three"], "a function of setups_of_a_user, got 3 for 'three'"),
        needing(
            "jax",
            ["setups_of_a_user:misnamed"],
            "that names its 'framework', 'jax' or 'keras' or 'torch', got 'flax'",
        ),
        (["setups_of_a_user:jax_loss", "-o", "a.gif"], "--output must end in .png, .svg, .pdf, "),
        (["setups_of_a_user:jax_loss", "--save", "a.csv"], "--save must end in .json, .npz, got"),
        (
            ["setups_of_a_user:jax_loss", "-o", "missing/a.png"],
            "--output must be in a folder that exists, got 'missing/a.png'",
        ),
        (
            ["setups_of_a_user:jax_loss", "--save", "missing/a.json"],
            "--save must be in a folder that exists, got 'missing/a.json'",
        ),
        needing("jax", ["setups_of_a_user:wrong"], "unexpected keyword argument 'epochs'"),
        needing(
            "jax", ["setups_of_a_user:jax_loss", "--steps", "0"], "steps must be an integer >= 1"
        ),
        needing(
            "jax",
            ["setups_of_a_user:jax_loss", "--max-steps", "199"],
            "max_steps must be at least steps (200), or None, got 199",
        ),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, folder: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_mapping_without_a_framework_is_asked_for_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jax", "torch"):  # as where both are imported
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    result = run("setups_of_a_user:unnamed")
    assert result.exit_code == 2
    assert "that names its 'framework', 'jax' or 'keras' or 'torch', got {'ba" in result.stderr


def test_a_page_has_the_figure_and_the_result(folder: Path) -> None:
    needs("jax")
    needs("matplotlib")
    options = ("--low", "1e-4", "--max-steps", "200")
    result = run("setups_of_a_user:jax_loss", *options, "-o", "test.html")
    assert (result.exit_code, result.stderr) == (0, "wrote test.html\n")
    page = (folder / "test.html").read_text()
    assert page.count("<svg") == 1
    assert "<h1>Range test</h1>" in page
    assert "suggested: " in page


@pytest.mark.parametrize("wrong", [("-o", "missing/a.png"), ("--save", "a.csv"), ("-o", "a.gif")])
def test_a_wrong_path_is_refused_before_the_test_runs(wrong: tuple[str, ...], folder: Path) -> None:
    assert run("setups_of_a_user:counted", *wrong).exit_code == 2
    assert not (folder / "ran").exists()


def test_a_missing_library_is_named_before_the_test_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    result = run("setups_of_a_user:counted", "-o", "a.png")
    assert result.stderr == "lrsched: plot: matplotlib is needed; pip install 'lrsched[plot]'\n"
    assert not (folder / "ran").exists()


NEEDED = {"lightning": "lightning", "transformers": "transformers", "torch-step": "torch"}


@pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated")
@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_run_as_they_are(name: str, folder: Path) -> None:
    """Their framework is found without being named."""
    needs(NEEDED.get(name, name))
    printed = run("--example", name).stdout
    assert printed == EXAMPLES[name]
    module = f"example_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(printed, encoding="utf-8")
    result = run(f"{module}:setup", "--steps", "12")
    assert result.exit_code == 0, result.output
    first, *_ = result.stdout.splitlines()
    framework = FRAMEWORKS.get(name, "torch")
    assert re.match(rf"{framework}: \d+ updates at learning rates from 1e-07 to ", first)


FRAMEWORKS = {"jax": "jax", "keras": "keras"}


def test_objects_show_their_framework() -> None:
    needs("torch")
    needs("jax")
    torch, jax = sys.modules["torch"], sys.modules["jax"]
    assert framework_of((None, torch.nn.Linear(1, 1))) == "torch"
    assert framework_of([lambda x: x, jax.numpy.ones(1)]) == "jax"
    assert framework_of({"schedule": 1, "optimizer": torch.optim.SGD}) is None
    assert framework_of(torch.nn.Linear(1, 1)) == "torch"

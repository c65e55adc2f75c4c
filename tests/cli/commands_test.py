"""The command `lrsched`."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

from tests.optional import needing, needs

needs("click")
needs("plotext")

import pytest
from click.shell_completion import ShellComplete

import lrsched
from lrsched._core.controller_definition import CONTROLLERS
from lrsched._core.definition import REGISTRY
from lrsched.cli.commands import cli
from tests.cli.invoke import run
from tests.processes import ROOT, python_command

GALLERY = runpy.run_path(str(ROOT / "docs" / "gallery.py"))
EXAMPLES = {schedule.name: schedule for schedule in GALLERY["EXAMPLES"]}
RECIPE = "warmup(cosine_decay(0.1, 900), warmup_steps=100)"


def test_list_names_every_schedule() -> None:
    result = run("list")
    assert result.exit_code == 0
    names = {line.split()[0] for line in result.stdout.splitlines()}
    assert names == {*REGISTRY, *CONTROLLERS}
    assert {"warmup_cosine", "reduce_on_plateau"} <= names
    assert "A rise (by default a straight line) before a schedule" in result.stdout


@pytest.mark.parametrize("name", sorted({*REGISTRY, *CONTROLLERS}))
def test_show_any_schedule(name: str) -> None:
    result = run("show", name)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{name}(")


def test_show_has_signature_formula_and_source() -> None:
    text = run("show", "cosine_decay").stdout
    assert text.startswith("cosine_decay(init_value, decay_steps, end_value=0.0)\n")
    assert "    value(t) = end_value + (init_value - end_value)" in text
    assert "arXiv:1608.03983" in text


@pytest.mark.parametrize("recipes", [[RECIPE], [RECIPE, "0.5 * linear(1e-4, 0, 100)"]])
def test_plot_in_the_terminal(recipes: list[str]) -> None:
    result = run("plot", *recipes, "--steps", "1000")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout  # a pipe gets no colours
    for text in ("1000", "step", "cosine_decay(init_value=0.1, decay_steps=900)"):
        assert text in result.stdout
    assert ("•" in result.stdout) == (len(recipes) > 1)
    assert len(result.stdout.splitlines()) > 20


@pytest.mark.parametrize(
    "arguments",
    [("constant(0)",), ("constant(1)", "--steps", "1"), ("exponential_ramp(1e-7,1,9)", "--log")],
)
def test_plot_draws_any_shape(arguments: tuple[str, ...]) -> None:
    result = run("plot", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")


def test_plot_to_files(tmp_path: Path) -> None:
    pyplot = needs("matplotlib.pyplot")
    for name in ("a.png", "a.svg", "a.pdf", "a.HTML"):
        path = tmp_path / name
        result = run("plot", RECIPE, "cyclic(0.01, 0.1, 200)", "-n", "1000", "-o", str(path))
        assert (result.exit_code, result.stderr) == (0, f"wrote {path}\n")
    height, width, _ = pyplot.imread(tmp_path / "a.png").shape
    assert (height, width) == (750, 1200)
    assert pyplot.imread(tmp_path / "a.png")[..., :3].std() > 0.05
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    page = (tmp_path / "a.HTML").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == page.count("</svg>") == 1
    assert repr(lrsched.cyclic(0.01, 0.1, 200)) in page
    assert re.search(r"<path d=\"M [^\"]{1000,}", page)  # a curve


def test_a_recipe_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(lrsched.linear(1.0, 0.0, 4).to_json())
    assert (
        run("values", str(path), "-n", "3").stdout == "step,learning_rate\n0,1.0\n1,0.75\n2,0.5\n"
    )


def test_values_at_given_counts() -> None:
    result = run("values", "step_decay(0.1, 0.5, 30)", "--at", "0, 29,30")
    assert result.stdout == "step,learning_rate\n0,0.1\n29,0.1\n30,0.05\n"


def test_diff_exits_like_diff(tmp_path: Path) -> None:
    needs("matplotlib")
    same = run("diff", "linear(1, 0, 9)", "0.5 * linear(2, 0, 9)", "--steps", "20")
    assert (same.exit_code, same.stdout) == (0, "a and b are the same at 20 steps (rtol 1e-06)\n")
    path = tmp_path / "diff.html"
    other = run("diff", "linear(1, 0, 9)", "linear(2, 0, 9)", "-n", "20", "-o", str(path))
    assert other.exit_code == 1
    assert "a is a constant factor of b: a(n) = 0.5 b(n)" in other.stdout
    assert "a is a constant factor of b" in path.read_text()
    near = ("diff", "constant(1)", "constant(1.01)", "-n", "5")
    assert (run(*near).exit_code, run(*near, "--rtol", "0.1").exit_code) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["plot", "warmup(cosin_decay(0.1, 9), 1)"],
            "from_repr: column 8: did you mean 'cosine_decay'? schedule must be one of",
        ),
        (["plot", "linear(1, 0, 0)"], "from_repr: column 1: linear: steps must be a number >= 1"),
        (["values", "constant(1", "-n", "3"], "from_repr: column 9: the recipe must be a call"),
        (["values", "nothing.json", "-n", "3"], "column 1: RECIPE must be a call such as"),
        (["values", "constant(1)", "-n", "0"], "--steps must be an integer from 1 to 2147483647"),
        (["values", "constant(1)", "--at", "1,x"], "column 3: --at must be integers >= 0"),
        (["values", "constant(1)", "--at", ""], "column 1: --at must be integers >= 0"),
        (["show", "cosin_decay"], "did you mean 'cosine_decay'? schedule must be one of"),
        (["plot", "constant(1)", "-o", "x.gif"], "--output must end in .png, .svg, .pdf, .html, "),
        (["values", "reduce_on_plateau(1)", "-n", "3"], "from_repr: the recipe must be a Schedule"),
        (["plot", "linear(1, 0, epochs(1) - epochs(2))"], "linear: steps must be a number >= 1"),
        needing(
            "matplotlib",
            ["plot", "constant(1)", "-o", "/nowhere/x.png"],
            "[Errno 2] No such file or directory",
        ),
        (["plot", "constant(0)", "--log"], "--log must have values > 0, which constant("),
        (["diff", "constant(1)", "constant(1)", "-n", "1", "--rtol", "-1"], "diff: rtol must be a"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"lrsched: {message}")
    assert result.stderr.count("\n") == 1


def test_usage_errors_exit_with_2() -> None:
    for arguments in (["values", "constant(1)"], ["plot"], ["diff", "constant(1)"], ["nothing"]):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Error: " in result.stderr


@pytest.mark.parametrize(
    "command",
    [[], ["list"], ["show"], ["plot"], ["values"], ["diff"], ["json"], ["convert"], ["range-test"]],
)
def test_help(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    assert run("--version").stdout.strip().endswith(lrsched.__version__)


@pytest.mark.parametrize(
    ("library", "arguments", "message"),
    [
        ("plotext", [], "lrsched: plot: plotext is needed; pip install 'lrsched[cli]'\n"),
        ("matplotlib", ["-o", "x.png"], "lrsched: plot: matplotlib is needed; pip install "),
    ],
)
def test_what_is_missing_is_said(
    library: str, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    result = run("plot", "constant(1)", *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(message)


def test_without_click_one_line() -> None:
    code = "import sys; sys.modules['click'] = None; import lrsched.cli; lrsched.cli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "lrsched: click is needed; pip install 'lrsched[cli]'\n"


def test_names_are_completed() -> None:
    def complete(arguments: list[str], incomplete: str) -> list[str]:
        found = ShellComplete(cli, {}, "lrsched", "_LRSCHED_COMPLETE")
        return [item.value for item in found.get_completions(arguments, incomplete)]

    assert complete(["show"], "cosine_d") == ["cosine_decay"]
    assert complete(["plot"], "one_") == ["one_cycle("]
    assert complete(["plot"], "curves/") == ["curves/"]


def test_as_a_module() -> None:
    command = python_command("-m", "lrsched.cli")
    done = subprocess.run(
        [*command, "values", RECIPE, "--at", "0,50,100"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "step,learning_rate\n0,0.0\n50,0.05\n100,0.1\n"
    wrong = subprocess.run([*command, "plot", "warmup(x"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert (
        wrong.stderr
        == "lrsched: from_repr: column 7: the recipe must be a call: '(' was never closed\n"
    )


def test_durations_in_other_units_are_resolved_by_options() -> None:
    recipe = "warmup(cosine_decay(0.1, run_fraction(1.0) - epochs(1)), epochs(1))"
    lengths = ("--total-steps", "100", "--steps-per-epoch", "10")
    result = run("values", recipe, "--at", "0,10,100", *lengths)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == ["0,0.0", "10,0.1", "100,0.0"]
    numbers = "warmup(cosine_decay(0.1, 90), 10)"
    assert run("diff", recipe, numbers, "--steps", "120", *lengths).exit_code == 0
    assert run("plot", recipe, *lengths).exit_code == 0


@pytest.mark.parametrize("command", [("values", "--at", "0"), ("diff", "--steps", "9")])
def test_durations_that_are_left_are_refused(command: tuple[str, ...]) -> None:
    recipes = ["linear(1, 0, epochs(3))"] * (2 if command[0] == "diff" else 1)
    result = run(command[0], *recipes, *command[1:])
    assert result.exit_code == 2
    assert result.stderr == "lrsched: linear: steps is epochs(3); give --steps-per-epoch\n"
    open_run = "linear(1, 0, run_fraction(1.0) - tokens(5))"
    other = run("values", open_run, "-n", "3")
    assert other.stderr.endswith("; give --total-steps, --tokens-per-step\n")


def test_durations_that_are_left_are_drawn_over_a_nominal_run(tmp_path: Path) -> None:
    needs("matplotlib")
    result = run("plot", "linear(1, 0, epochs(30))")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.search(r" 0 .*17\.07 .*34\.17", result.stdout)
    assert "epochs" in result.stdout
    path = tmp_path / "a.svg"
    mixed = "warmup(cosine_decay(0.1, run_fraction(0.9)), 100)"
    assert run("plot", mixed, "-o", str(path)).exit_code == 0
    assert "<!-- step (total_steps=1000) -->" in path.read_text()
    assert run("plot", mixed, "--total-steps", "700", "-o", str(path)).exit_code == 0
    assert "<!-- step -->" in path.read_text()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_name_is_plotted_tabulated_compared_and_written(name: str) -> None:
    schedule = EXAMPLES[name]
    text = repr(schedule)
    assert lrsched.from_repr(text) == schedule
    plotted = run("plot", text, "--steps", "60")
    assert (plotted.exit_code, plotted.stderr) == (0, "")
    table = run("values", text, "--at", "0,7,60").stdout.splitlines()[1:]
    assert table == [f"{count},{schedule(count)!r}" for count in (0, 7, 60)]
    assert run("diff", text, text, "--steps", "60").exit_code == 0
    assert lrsched.from_json(run("json", text).stdout) == schedule

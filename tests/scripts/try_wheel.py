"""Install a wheel into an empty environment, and use it: `python -m tests.scripts.try_wheel`."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALONE = """
import importlib.util, numpy, lrsched
assert not any(map(importlib.util.find_spec, ("jax", "torch", "matplotlib", "adapters")))
schedule = lrsched.warmup(lrsched.cosine_decay(0.1, 10), 5)
assert schedule(numpy.arange(20))[7] == schedule(7)
assert lrsched.from_json(schedule.to_json()) == schedule
"""


def installed(wheel: Path, extra: str, folder: Path) -> Path:
    """The folder of the programs of a new environment that has the wheel alone."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    install = [f"{programs}/python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "-c", f"{ROOT}/constraints.txt", f"{wheel}{extra}"], check=True)
    return programs


def use_alone(programs: Path, folder: Path) -> None:
    """Use the core, where no framework is."""
    command = [f"{programs}/python", "-I", "-W", "error", "-c", ALONE]
    subprocess.run(command, check=True, cwd=folder)


def use_command(programs: Path, folder: Path) -> None:
    """Use the command, and the explorer's page that is in the wheel."""
    values = [f"{programs}/lrsched", "values", "cosine_decay(0.1, 10)", "--at", "5"]
    print(subprocess.run(values, check=True, cwd=folder, capture_output=True, text=True).stdout)
    page = "from lrsched.cli.explorer_page import page_folder; print(page_folder())"
    subprocess.run([f"{programs}/python", "-I", "-c", page], check=True, cwd=folder)


def main(wheel: Path) -> None:
    """Try a wheel alone, and with the command line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        use_alone(installed(wheel, "", folder / "alone"), folder)
        use_command(installed(wheel, "[cli]", folder / "cli"), folder)
    print(f"{wheel.name} works")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

"""Installs each extra alone in an environment of its own, and uses what it is for.

    python tests/scripts/extras.py [EXTRA ...]

`make extras` runs it: it downloads every framework, so it is not among the tests.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What each extra brings, and a use of it.
USES = {
    "jax": (
        {"jax", "optax", "flax"},
        """
        import jax.numpy as jnp, lrsched, lrsched_jax, optax
        optimizer = optax.inject_hyperparams(optax.sgd)(lrsched.linear(0.5, 0.0, 2))
        weights = jnp.zeros(1)
        updates, state = optimizer.update(jnp.ones(1), optimizer.init(weights))
        assert float(optax.apply_updates(weights, updates)[0]) == -0.5
        """,
    ),
    "torch": (
        {"torch"},
        """
        import lrsched, lrsched_torch, torch
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        scheduler = lrsched_torch.lambda_lr(optimizer, lrsched.linear(0.5, 0.0, 2))
        weight.sum().backward(); optimizer.step(); scheduler.step()
        assert weight.item() == -0.5
        assert scheduler.get_last_lr() == [0.25]
        """,
    ),
    "keras": (
        {"keras", "jax"},
        """
        import os
        os.environ["KERAS_BACKEND"] = "jax"
        import keras, lrsched, numpy
        from lrsched_keras import KerasSchedule
        weight = keras.Variable(numpy.zeros(1, "float32"))
        optimizer = keras.optimizers.SGD(KerasSchedule(lrsched.linear(0.5, 0.0, 2)))
        optimizer.apply([numpy.ones(1, "float32")], [weight])
        assert float(weight.value[0]) == -0.5
        assert float(optimizer.learning_rate) == 0.25
        """,
    ),
    "plot": (
        {"matplotlib"},
        """
        import lrsched, matplotlib; matplotlib.use("Agg")
        assert lrsched.linear(0.5, 0.0, 2).plot(4) is not None
        """,
    ),
    "cli": (
        {"click", "plotext"},
        """
        import pathlib, subprocess, sys
        command = pathlib.Path(sys.executable).with_name("lrsched")
        subprocess.run([command, "--help"], check=True, stdout=subprocess.DEVNULL)
        """,
    ),
    "yaml": (
        set(),  # Flax brings PyYAML, too
        """
        import yaml
        assert yaml.safe_load("lr: 0.1") == {"lr": 0.1}
        """,
    ),
}
USES["all"] = (
    set().union(*(brought for brought, _ in USES.values())),
    """
    import os
    os.environ["KERAS_BACKEND"] = "jax"
    import lrsched_jax, lrsched_keras, lrsched_torch
    """,
)
FRAMEWORKS = USES["all"][0]


def check(extra: str) -> None:
    """Raises CalledProcessError where it cannot be installed or does not work."""
    brought, use = USES[extra]
    absent = f"""
    import importlib.util
    found = {{name for name in {sorted(FRAMEWORKS)} if importlib.util.find_spec(name)}}
    assert found == {brought}, found
    """
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-c", "constraints.txt", f".[{extra}]"], cwd=ROOT, check=True)
        for code in (absent, use):
            # Isolated, and elsewhere: what is imported is what was installed.
            subprocess.run([python, "-I", "-c", _dedented(code)], cwd=folder, check=True)


def _dedented(code: str) -> str:
    return "\n".join(line.strip() for line in code.splitlines())


def main(extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = [extra for extra in project["optional-dependencies"] if extra != "dev"]
    assert set(known) == set(USES), known
    failed = []
    for extra in extras or known:
        try:
            check(extra)
            print(f"{extra}: works alone", flush=True)
        except subprocess.CalledProcessError as error:
            failed.append(extra)
            print(f"{extra}: {error}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main(sys.argv[1:])

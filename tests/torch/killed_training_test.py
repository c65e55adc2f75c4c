"""Training that is killed again and again uses the learning rates of one that is not."""

from pathlib import Path

from tests.optional import needs

needs("torch")
needs("lightning")
needs("transformers")
needs("keras")

import numpy as np

from tests.kills import kill, logged, running
from tests.scripts.torch_killed import RECIPE

EVERY = 3
KILLS = {"torch": 20, "lightning": 3, "transformers": 3, "keras": 3}
# More than are made until the last kill, by how fast the steps are.
STEPS = {"torch": 900, "lightning": 240, "transformers": 90, "keras": 90}


def test_kills_leave_no_trace(tmp_path: Path) -> None:
    plan = [argument for item in STEPS.items() for argument in item]
    with running("torch_killed.py", tmp_path, EVERY, *plan) as process:
        for stack, kills in KILLS.items():
            least = 0 if kills > 3 else 2 * EVERY + 1  # so that there is a checkpoint
            kill(process, tmp_path / stack, kills, range(least, 4 * EVERY))
    for stack, steps in STEPS.items():
        found, whole, begun = logged(tmp_path / stack)
        assert list(whole) == list(range(steps)) == sorted(found), stack
        assert found == whole, stack  # the rates and the losses, to the last bit
        assert len(set(begun)) > 2, stack
        assert all(step % EVERY == 0 for step in begun), stack  # at checkpoints
        rates = [whole[step][0] for step in range(steps)]
        wanted = [RECIPE(step) for step in range(steps)]
        rounding = 2 * 2.0**-23 if stack == "keras" else 0.0  # of float32
        np.testing.assert_allclose(rates, wanted, rtol=rounding, err_msg=stack)

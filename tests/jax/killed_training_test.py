"""Training in JAX that is killed again and again uses the learning rates of one that is not."""

from pathlib import Path

from tests.optional import needs

needs("jax")
needs("optax")
needs("orbax")

import numpy as np

from tests.kills import kill, logged, running
from tests.scripts.jax_killed import SCHEDULE

KILLS = 20
STEPS = 240  # more than are made until the last kill
EVERY = 3


def test_twenty_kills_leave_no_trace(tmp_path: Path) -> None:
    with running("jax_killed.py", tmp_path, STEPS, EVERY) as process:
        # A checkpoint is complete before the next one begins.
        kill(process, tmp_path, KILLS, range(4 * EVERY + 1))
    found, whole, begun = logged(tmp_path)
    assert list(whole) == list(range(STEPS)) == sorted(found)
    assert found == whole  # the rates, found and applied, and the losses, to the last bit
    assert len(set(begun)) > 3
    assert all(step % EVERY == 0 for step in begun)  # at checkpoints
    found_rates, applied, _ = np.transpose([whole[step] for step in range(STEPS)])
    np.testing.assert_allclose(found_rates, SCHEDULE(np.arange(STEPS)), rtol=1e-6)
    np.testing.assert_allclose(applied, found_rates, rtol=1e-6)

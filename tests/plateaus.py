"""Hypothesis strategies for plateaus and the metrics that they observe."""

import functools
import math
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from lrsched.controllers import Plateau, PlateauState, reduce_on_plateau
from tests.optional import needs
from tests.stepping import sgd

INF, NAN = math.inf, math.nan
LENGTH = 24  # of the metrics in the compiled tests, so that each compiles once


# What float32 may be off by after a product for each of them, the two factors rounded too.
ROUNDING = LENGTH * 3 * 2.0**-24


make: Any = reduce_on_plateau  # types would refuse half of what follows


def torchs(plateau: Plateau) -> Any:
    """The real one, by torch's names."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    params: dict[str, Any] = plateau.params
    for here, there in {"decay_rate": "factor", "end_value": "min_lr"}.items():
        params[there] = params.pop(here)
    return lr_scheduler.ReduceLROnPlateau(sgd(params.pop("init_value")), **params)


def states(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    """Those after each of the metrics, in plain Python."""
    state, found = plateau.init(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        found.append(state)
    return found


decay_rates = st.sampled_from([0.0, 0.1, 0.5]) | st.floats(1e-6, 1.0, exclude_max=True)
floors = st.just(0.0) | st.floats(1e-6, 1.0)


@st.composite
def plateaus(draw: Any, decay_rates: Any = decay_rates) -> Plateau:
    mode, threshold_mode = (
        draw(st.sampled_from(["min", "max"])),
        draw(st.sampled_from(["rel", "abs"])),
    )
    largest = 0.999 if (mode, threshold_mode) == ("min", "rel") else 3.0
    return reduce_on_plateau(
        draw(floors | st.floats(1e-3, 10.0)),
        draw(decay_rates),
        draw(st.integers(0, 4)),
        mode,
        draw(st.sampled_from([0.0, 1e-4, 0.5]) | st.floats(1e-9, largest)),
        threshold_mode,
        draw(st.integers(0, 4)),
        draw(floors),
        draw(st.sampled_from([0.0, 1e-8]) | st.floats(1e-9, 0.1)),
    )


# Numbers of few bits, so that decreases as large as eps occur.
exact = st.builds(
    reduce_on_plateau,
    st.sampled_from([1.0, 0.5, 3.0]),
    st.sampled_from([0.0, 0.5, 0.75]),
    st.integers(0, 3),
    st.sampled_from(["min", "max"]),
    st.sampled_from([0.0, 0.25, 0.5]),
    st.sampled_from(["rel", "abs"]),
    st.integers(0, 3),
    st.sampled_from([0.0, 2.0**-10, 0.25]),
    st.sampled_from([0.0, 2.0**-12, 2.0**-3]),
)


# A metric, or where it lies beside the best one: on the threshold, or on the next float.
moves = st.one_of(
    st.sampled_from(["best", "threshold", "below", "above"]),
    st.sampled_from([NAN, INF, -INF, 0.0, 1.0, -1.0]),
    st.integers(-3, 3).map(float),
    st.floats(-10.0, 10.0),
)


anything = moves | st.floats()


def threshold(plateau: Plateau, best: float) -> float:
    margin = -plateau.threshold if plateau.mode == "min" else plateau.threshold
    return float(best * (1 + margin) if plateau.threshold_mode == "rel" else best + margin)


def metrics_of(plateau: Plateau, moves: Sequence[float | str]) -> list[float]:
    state, metrics = plateau.init(), []
    for move in moves:
        bar = threshold(plateau, state.best)
        places = {
            "best": state.best,
            "threshold": bar,
            "below": math.nextafter(bar, -INF),
            "above": math.nextafter(bar, INF),
        }
        metric = places[move] if isinstance(move, str) else move
        state = plateau.update(state, metric)
        metrics.append(metric)
    return metrics


def runs_of(plateaus: Any, moves: Any, largest: float = 1e290) -> Any:
    """A plateau and metrics for it: of a fixed length, and neither subnormal nor near overflow.

    XLA rounds subnormal numbers to 0, and NumPy warns of an overflow.
    """

    def tame(x: float) -> float:
        if largest < abs(x) < INF:
            return math.copysign(INF, x)
        return 0.0 if abs(x) < 1 / largest else x

    return st.tuples(plateaus, st.lists(moves, min_size=LENGTH, max_size=LENGTH)).map(
        lambda drawn: (drawn[0], [tame(x) for x in metrics_of(*drawn)])
    )


runs = runs_of(plateaus(), moves)
PLATEAU = reduce_on_plateau(1.0, 0.5, patience=1, cooldown=1, threshold=0.25)
METRICS = [4.0, 4.0, 3.0, 1.0, NAN, 1.0, 1.0, 1.0, INF, 1.0, 0.5, 0.5]
VALUES = [state.value for state in states(PLATEAU, METRICS)]


def rates_of(scheduler: Any, metrics: Sequence[float]) -> list[list[Any]]:
    found = []
    for metric in metrics:
        scheduler.step(metric)
        found.append([group["lr"] for group in scheduler.optimizer.param_groups])
        assert found[-1] == scheduler.get_last_lr()
    return found


@functools.cache
def compiled_scan() -> Any:
    """Every state, the hyperparameters being traced."""
    jax = needs("jax")

    def observe(plateau: Plateau, state: PlateauState, metric: Any) -> Any:
        state = plateau.update(state, metric)
        return state, state

    def scanned(plateau: Plateau, metrics: Any) -> Any:
        start = plateau.init(metrics[0])
        assert not any(x.weak_type for x in start)
        end, found = jax.lax.scan(functools.partial(observe, plateau), start, metrics)
        assert not any(x.weak_type for x in end)
        return found

    return jax.jit(scanned)

"""`reduce_on_plateau`: torch's decisions to the last bit, in every library and in both adapters."""

import copy
import io
import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau, SequentialLR

from lrsched.plateau import Plateau, PlateauState, reduce_on_plateau
from lrsched_jax._plateau import scale_by_plateau_learning_rate
from lrsched_torch._schedulers.plateau import PlateauLR

INF, NAN = math.inf, math.nan
LENGTH = 24  # of the metrics in the compiled tests, so that each compiles once
# What float32 may be off by after a product for each of them, the two factors rounded too.
SINGLE = LENGTH * 3 * 2.0**-24
make: Any = reduce_on_plateau  # types would refuse half of what follows


def sgd(*lrs: Any) -> torch.optim.Optimizer:
    """An optimizer with a param group for each learning rate."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs]
    return torch.optim.SGD(groups)


def torchs(plateau: Plateau) -> ReduceLROnPlateau:
    """The real one, by torch's names."""
    params: dict[str, Any] = plateau.params
    for here, there in {"decay_rate": "factor", "end_value": "min_lr"}.items():
        params[there] = params.pop(here)
    return ReduceLROnPlateau(sgd(params.pop("init_value")), **params)


def observed(scheduler: ReduceLROnPlateau, metric: float) -> PlateauState:
    """The state of torch's scheduler after one more metric."""
    scheduler.step(metric)
    (value,) = scheduler.get_last_lr()
    return PlateauState(value, scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter)


def states(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    """Those after each of the metrics, in plain Python."""
    state, found = plateau.init(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        found.append(state)
    return found


# Draws

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
    scheduler, metrics = torchs(plateau), []
    for move in moves:
        bar = threshold(plateau, scheduler.best)
        places = {
            "best": scheduler.best,
            "threshold": bar,
            "below": math.nextafter(bar, -INF),
            "above": math.nextafter(bar, INF),
        }
        metric = places[move] if isinstance(move, str) else move
        scheduler.step(metric)
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


# Python is torch


@settings(max_examples=1000)
@given(plateaus() | exact, st.lists(anything, max_size=60))
def test_python_is_torch_to_the_last_bit(plateau: Plateau, moves: list[float | str]) -> None:
    metrics = metrics_of(plateau, moves)
    scheduler, state = torchs(plateau), plateau.init()
    assert state == PlateauState(plateau.init_value, scheduler.best, 0, 0)
    for metric in metrics:
        state = plateau.update(state, metric)
        assert state == observed(scheduler, metric)
        assert list(map(type, state)) == [float, float, int, int]


def test_the_draws_reach_what_they_are_for() -> None:
    """Cuts, cuts withheld for eps, cooldowns, and ties at the threshold all occur."""
    seen = {"cut": 0, "withheld": 0, "cooldown": 0, "tie": 0, "nan": 0}

    @settings(max_examples=300, database=None, derandomize=True)
    @given(runs)
    def count(run: tuple[Plateau, list[float]]) -> None:
        plateau, metrics = run
        before = plateau.init()
        for metric, after in zip(metrics, states(plateau, metrics), strict=True):
            out_of_patience = not before.cooldown_left and before.bad_steps == plateau.patience
            out_of_patience &= after.best == before.best and after.bad_steps == 0
            seen["cut"] += after.value < before.value
            seen["withheld"] += out_of_patience and after.value == before.value
            seen["cooldown"] += before.cooldown_left > 0
            seen["tie"] += metric == threshold(plateau, before.best) and abs(metric) < INF
            seen["nan"] += metric != metric
            before = after

    count()
    assert min(seen.values()) > 50, seen


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_a_flat_metric_is_first_cut_at_observation_patience_plus_two(patience: int) -> None:
    plateau = reduce_on_plateau(1.0, 0.5, patience=patience)
    values = [state.value for state in states(plateau, [3.0] * (patience + 2))]
    assert values == [1.0] * (patience + 1) + [0.5]


def test_a_decrease_must_be_larger_than_eps() -> None:
    for eps, value in {0.5: 1.0, math.nextafter(0.5, 0.0): 0.5}.items():
        plateau = reduce_on_plateau(1.0, 0.5, patience=0, eps=eps)
        assert states(plateau, [3.0, 3.0])[-1].value == value
        assert rates_of(torchs(plateau), [3.0, 3.0])[-1] == [value]


def test_a_negative_best_is_bettered_by_a_worse_one_in_the_relative_mode() -> None:
    """As the docstring warns, and as torch does."""
    assert states(reduce_on_plateau(1.0), [-1.0, -0.99995])[-1].best == -0.99995
    absolute = reduce_on_plateau(1.0, threshold_mode="abs")
    assert states(absolute, [-1.0, -0.99995])[-1].best == -1.0


@pytest.mark.parametrize("metric", [1, np.float32(1.0), True, np.int64(1)])
def test_numbers_of_any_kind_are_metrics(metric: Any) -> None:
    plateau = reduce_on_plateau(1.0)
    if metric is True:
        with pytest.raises(TypeError, match="metric must be a number or an array of numbers, got"):
            plateau.update(plateau.init(), metric)
    else:
        assert plateau.update(plateau.init(), metric).best == 1.0


# Every library

Way = Callable[[Plateau, Sequence[float]], list[PlateauState]]


@contextmanager
def torch_default_dtype(dtype: torch.dtype) -> Iterator[None]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def numbers(found: Sequence[PlateauState]) -> list[PlateauState]:
    return [PlateauState(*(np.asarray(x).item() for x in state)) for state in found]


def one_by_one(plateau: Plateau, metrics: Any, like: Any, dtypes: Any) -> list[PlateauState]:
    state, found = plateau.init(like), []
    for metric in metrics:
        state = plateau.update(state, metric)
        assert tuple(x.dtype for x in state) == tuple(x.dtype for x in plateau.init(like)) == dtypes
        found.append(state)
    return numbers(found)


def numpy_double(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    dtypes = (np.float64, np.float64, np.int64, np.int64)
    return one_by_one(plateau, np.asarray(metrics), np.asarray(0.0), dtypes)


def strict_double(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    xp = array_api_strict
    dtypes = (xp.float64, xp.float64, xp.int64, xp.int64)
    return one_by_one(plateau, map(xp.asarray, metrics), xp.asarray(0.0), dtypes)


def torch_single(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    dtype = torch.get_default_dtype()
    dtypes = (dtype, dtype, torch.int64, torch.int64)
    return one_by_one(plateau, torch.tensor(metrics), torch.tensor(0.0), dtypes)


def torch_double(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    with torch_default_dtype(torch.float64):
        return torch_single(plateau, metrics)


def jax_eager(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    integer = jnp.asarray(0).dtype
    dtypes = (jnp.asarray(0.0).dtype, jnp.asarray(0.0).dtype, integer, integer)
    return one_by_one(plateau, jnp.asarray(metrics), jnp.asarray(0.0), dtypes)


@jax.jit
def scanned(plateau: Plateau, metrics: jax.Array) -> PlateauState:
    """Every state, the hyperparameters being traced."""

    def observe(state: PlateauState, metric: jax.Array) -> tuple[PlateauState, PlateauState]:
        state = plateau.update(state, metric)
        return state, state

    start = plateau.init(metrics[0])
    assert not any(x.weak_type for x in start)
    end, found = jax.lax.scan(observe, start, metrics)
    assert not any(x.weak_type for x in end)
    return found


def jax_scan(plateau: Plateau, metrics: Sequence[float]) -> list[PlateauState]:
    found = scanned(plateau, jnp.asarray(metrics))
    return numbers([PlateauState(*state) for state in zip(*found, strict=True)])


DOUBLE: dict[str, Way] = {
    "numpy": numpy_double,
    "array-api-strict": strict_double,
    "torch": torch_double,
    "jax-scan": jax_scan,
}
SINGLE_WAYS: dict[str, Way] = {"torch": torch_single, "jax-scan": jax_scan}


@pytest.mark.parametrize("way", DOUBLE)
def test_float64_is_python_to_the_last_bit(way: str) -> None:
    @settings(max_examples=100 if way == "array-api-strict" else 200)
    @given(runs)
    def check(run: tuple[Plateau, list[float]]) -> None:
        with jax.enable_x64(True):
            assert DOUBLE[way](*run) == states(*run)

    check()


eighths = st.integers(-24, 24).map(lambda x: x / 8)


@pytest.mark.parametrize("way", SINGLE_WAYS)
def test_float32_decides_alike_where_it_is_exact(way: str) -> None:
    """Ties at the threshold included, as long as all numbers fit into float32."""
    ties = st.sampled_from(["best", "threshold"]) | eighths | st.sampled_from([NAN, INF, -INF])

    @settings(max_examples=200)
    @given(runs_of(exact, ties, 1e30))
    def check(run: tuple[Plateau, list[float]]) -> None:
        plateau, metrics = run
        expected = states(plateau, metrics)
        numbers = [*metrics, *(x for state in expected for x in (state.value, state.best))]
        assume(all(float(np.float32(x)) == x or x != x for x in numbers))
        assert SINGLE_WAYS[way](plateau, metrics) == expected

    check()


@pytest.mark.parametrize("way", SINGLE_WAYS)
def test_float32_is_python_to_rounding_away_from_the_threshold(way: str) -> None:
    """A metric within rounding of the threshold may be decided either way, so NaN takes its place;
    so may a decrease within rounding of eps."""

    @settings(max_examples=200)
    @given(runs_of(plateaus(st.floats(0.1, 1.0, exclude_max=True)), moves, 1e30))
    def check(run: tuple[Plateau, list[float]]) -> None:
        plateau, metrics = run
        state = plateau.init()
        for index, metric in enumerate(metrics):
            bar = threshold(plateau, state.best)
            room = 2.0**-21 * max(abs(metric), abs(bar), abs(state.best), plateau.threshold)
            if abs(metric - bar) <= room < INF:
                metrics[index] = NAN
            lower = max(state.value * plateau.decay_rate, plateau.end_value)
            assume(abs(state.value - lower - plateau.eps) > SINGLE * state.value)
            state = plateau.update(state, metrics[index])
        expected, found = states(plateau, metrics), SINGLE_WAYS[way](plateau, metrics)
        assert [state[2:] for state in found] == [state[2:] for state in expected]
        for field in (0, 1):
            np.testing.assert_allclose(
                [state[field] for state in found],
                [state[field] for state in expected],
                rtol=SINGLE,
            )

    check()


PLATEAU = reduce_on_plateau(1.0, 0.5, patience=1, cooldown=1, threshold=0.25)
METRICS = [4.0, 4.0, 3.0, 1.0, NAN, 1.0, 1.0, 1.0, INF, 1.0, 0.5, 0.5]
VALUES = [state.value for state in states(PLATEAU, METRICS)]


def test_the_example_cuts() -> None:
    assert VALUES == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125]


@pytest.mark.parametrize("way", [*DOUBLE.values(), torch_single, jax_eager])
def test_the_example_is_the_same_everywhere(way: Way) -> None:
    assert [state.value for state in way(PLATEAU, METRICS)] == VALUES


@pytest.mark.parametrize("compiled", [jax.jit(PLATEAU.update), PLATEAU.update])
def test_the_state_in_jax_is_strong_from_plain_numbers_on(compiled: Any) -> None:
    state = PLATEAU.init()
    for metric, value in zip(METRICS, VALUES, strict=True):
        state = compiled(state, jnp.asarray(metric))
        assert [x.dtype for x in state] == [jnp.float32, jnp.float32, jnp.int32, jnp.int32]
        assert not any(x.weak_type for x in state)
        assert state.value == value


def test_a_compiled_update_is_compiled_once() -> None:
    traces = []

    @jax.jit
    def update(plateau: Plateau, state: PlateauState, metric: jax.Array) -> PlateauState:
        traces.append(1)
        return plateau.update(state, metric)

    for patience in range(3):
        plateau = PLATEAU.replace(patience=patience, init_value=0.1 + patience)
        state = plateau.init(jnp.zeros(()))
        for metric in METRICS:
            state = update(plateau, state, jnp.asarray(metric))
    assert len(traces) == 1


def test_the_plain_state_is_a_carry_of_scan() -> None:
    def observe(state: PlateauState, metric: jax.Array) -> tuple[PlateauState, jax.Array]:
        state = PLATEAU.update(state, metric)
        return state, state.value

    _, values = jax.lax.scan(observe, PLATEAU.init(), jnp.asarray(METRICS))
    assert values.tolist() == VALUES


def test_vmap_over_hyperparameters_is_a_sweep() -> None:
    sweep = [PLATEAU.replace(patience=p, decay_rate=r) for p in range(4) for r in (0.25, 0.5)]
    batch = jax.tree.map(lambda *leaves: jnp.asarray(leaves), *sweep)
    found = jax.vmap(scanned, in_axes=(0, None))(batch, jnp.asarray(METRICS))
    for plateau, values in zip(sweep, found.value, strict=True):
        assert values.tolist() == [state.value for state in states(plateau, METRICS)]


@pytest.mark.parametrize("xp", [np, jnp, torch, array_api_strict])
def test_an_array_of_metrics_is_a_plateau_for_each_element(xp: Any) -> None:
    shifts = [[0.0, 1.0, -2.0]]
    state = PLATEAU.init(xp.asarray(shifts))
    assert {x.shape for x in state} == {(1, 3)}
    for metric in METRICS:
        state = PLATEAU.update(state, xp.asarray([[metric + x for x in shifts[0]]]))
        assert {x.shape for x in state} == {(1, 3)}
    expected = [states(PLATEAU, [m + x for m in METRICS])[-1] for x in shifts[0]]
    for field, values in zip(state, zip(*expected, strict=True), strict=True):
        assert np.asarray(field).tolist() == [list(values)]


def test_torch_compile_takes_an_update_whole() -> None:
    torch.compiler.reset()
    update = torch.compile(PLATEAU.update, fullgraph=True, backend="eager")
    state = PLATEAU.init(torch.tensor(0.0))
    for metric, value in zip(METRICS, VALUES, strict=True):
        state = update(state, torch.tensor(metric))
        assert state.value == value


def test_a_loss_does_not_keep_its_graph() -> None:
    weight = torch.ones((), requires_grad=True)
    state = PLATEAU.update(PLATEAU.init(), 2 * weight)
    assert state.best == 2.0
    assert not any(x.requires_grad for x in state)


def test_an_array_of_flags_is_no_metric() -> None:
    with pytest.raises(TypeError, match="metric must be a number or an array of numbers, got arr"):
        PLATEAU.update(PLATEAU.init(), np.asarray([True]))


# The value


@given(plateaus())
def test_it_is_a_value(plateau: Plateau) -> None:
    evaluated = eval(repr(plateau), {"reduce_on_plateau": reduce_on_plateau})
    leaves, tree = jax.tree.flatten(plateau)
    again = jax.tree.unflatten(tree, leaves)
    copies = (evaluated, pickle.loads(pickle.dumps(plateau)), copy.deepcopy(plateau), again)
    for other in (*copies, plateau.replace(), reduce_on_plateau(**plateau.params)):
        assert other == plateau
        assert hash(other) == hash(plateau)
        assert repr(other) == repr(plateau)
    assert len(leaves) == 7
    other = plateau.replace(patience=plateau.patience + 1)
    assert other != plateau
    assert other.params == plateau.params | {"patience": plateau.patience + 1}


def test_it_does_not_change() -> None:
    with pytest.raises(AttributeError):
        PLATEAU.patience = 3  # type: ignore[misc]


def test_numbers_of_any_library_become_pythons() -> None:
    plateau = make(np.float32(0.5), torch.tensor(0.25), jnp.int32(3), cooldown=np.int64(2))
    assert plateau == reduce_on_plateau(0.5, 0.25, 3, cooldown=2)
    assert plateau.is_plain
    assert repr(plateau) == (
        "reduce_on_plateau(init_value=0.5, decay_rate=0.25, patience=3, cooldown=2)"
    )


def test_traced_hyperparameters_are_accepted() -> None:
    @jax.jit
    def last(rate: Any, patience: Any) -> Any:
        plateau = reduce_on_plateau(rate, 0.5, patience)
        assert not plateau.is_plain
        state = plateau.init()
        for metric in METRICS:
            state = plateau.update(state, metric)
        return state.value

    assert last(1.0, 1) == states(reduce_on_plateau(1.0, 0.5, 1), METRICS)[-1].value


def run_alone(code: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_plain_use_imports_no_array_library() -> None:
    run_alone(
        "import sys; from lrsched.plateau import reduce_on_plateau\n"
        "plateau = reduce_on_plateau(0.1)\n"
        "plateau.update(plateau.init(), 1.0), repr(plateau), hash(plateau), plateau.replace()\n"
        "assert not {'jax', 'torch', 'numpy'} & set(sys.modules)"
    )


def test_one_made_before_jax_is_a_pytree_after_init() -> None:
    run_alone(
        "from lrsched.plateau import reduce_on_plateau\n"
        "plateau = reduce_on_plateau(0.1)\n"
        "import jax\n"
        "state = plateau.init()\n"
        "jax.jit(lambda plateau, state: plateau.update(state, 1.0))(plateau, state)\n"
    )


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"init_value": -0.1}, ValueError, "init_value must be a number >= 0, got -0.1"),
    ({"init_value": NAN}, ValueError, "init_value must be a number >= 0, got nan"),
    ({"init_value": INF}, ValueError, "init_value must be a number >= 0, got inf"),
    ({"init_value": "0.1"}, TypeError, "init_value must be a number >= 0, got '0.1'"),
    ({"init_value": True}, TypeError, "init_value must be a number >= 0, got True"),
    ({"init_value": [0.1]}, TypeError, "init_value must be a number >= 0, got [0.1]"),
    (
        {"init_value": 1e19},
        ValueError,
        "init_value must be a number of magnitude <= 1e+18, got 1e+19",
    ),
    ({"decay_rate": 1.0}, ValueError, "decay_rate must be a number >= 0 and < 1, got 1.0"),
    ({"decay_rate": -0.5}, ValueError, "decay_rate must be a number >= 0 and < 1, got -0.5"),
    ({"decay_rate": NAN}, ValueError, "decay_rate must be a number >= 0 and < 1, got nan"),
    ({"decay_rate": None}, TypeError, "decay_rate must be a number >= 0 and < 1, got None"),
    ({"patience": -1}, ValueError, "patience must be an integer >= 0 (observations), got -1"),
    ({"patience": 3.0}, TypeError, "patience must be an integer >= 0 (observations), got 3.0"),
    ({"patience": True}, TypeError, "patience must be an integer >= 0 (observations), got True"),
    (
        {"patience": 2**31},
        ValueError,
        "patience must be an integer <= 2147483647 (observations), got 2147483648",
    ),
    ({"mode": "auto"}, ValueError, "mode must be 'min' or 'max', got 'auto'"),
    ({"mode": None}, TypeError, "mode must be 'min' or 'max', got None"),
    ({"threshold": -1e-4}, ValueError, "threshold must be a number >= 0, got -0.0001"),
    (
        {"threshold": 1},
        ValueError,
        "threshold must be a number < 1 with mode 'min' and threshold_mode 'rel', got 1",
    ),
    (
        {"threshold_mode": "relative"},
        ValueError,
        "threshold_mode must be 'rel' or 'abs', got 'rela",
    ),
    ({"threshold_mode": 1}, TypeError, "threshold_mode must be 'rel' or 'abs', got 1"),
    ({"cooldown": -2}, ValueError, "cooldown must be an integer >= 0 (observations), got -2"),
    ({"cooldown": 0.5}, TypeError, "cooldown must be an integer >= 0 (observations), got 0.5"),
    ({"end_value": -1.0}, ValueError, "end_value must be a number >= 0, got -1.0"),
    ({"end_value": [0.0]}, TypeError, "end_value must be a number >= 0, got [0.0]"),
    ({"eps": -1e-8}, ValueError, "eps must be a number >= 0, got -1e-08"),
    ({"eps": NAN}, ValueError, "eps must be a number >= 0, got nan"),
]


@pytest.mark.parametrize(("params", "error", "text"), REFUSED)
def test_bad_hyperparameters_are_refused(
    params: dict[str, Any], error: type[Exception], text: str
) -> None:
    for attempt in (
        lambda: make(**({"init_value": 0.1} | params)),
        lambda: PLATEAU.replace(**params),
    ):
        with pytest.raises(error) as refused:
            attempt()
        assert type(refused.value) is error
        assert str(refused.value).startswith(f"reduce_on_plateau: {text}")


@pytest.mark.parametrize("metric", ["1.0", None, 1j, [1.0]])
def test_bad_metrics_are_refused(metric: Any) -> None:
    with pytest.raises(TypeError) as refused:
        PLATEAU.update(PLATEAU.init(), metric)
    text = f"reduce_on_plateau: metric must be a number or an array of numbers, got {metric!r}"
    assert str(refused.value) == text


# torch's optimizers


def reloaded(state: Any) -> Any:
    """What a checkpoint gives back where nothing but plain data is allowed in it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def rates_of(scheduler: LRScheduler, metrics: Sequence[float]) -> list[list[Any]]:
    found = []
    for metric in metrics:
        scheduler.step(metric)  # type: ignore[arg-type]
        found.append([group["lr"] for group in scheduler.optimizer.param_groups])
        assert found[-1] == scheduler.get_last_lr()
    return found


@settings(max_examples=200)
@given(runs, st.integers(0, LENGTH))
def test_resuming_gives_torchs_sequence(run: tuple[Plateau, list[float]], killed: int) -> None:
    plateau, metrics = run
    expected = [[lr, lr] for ((lr,),) in zip(rates_of(torchs(plateau), metrics), strict=True)]
    before = PlateauLR(sgd(7.0, 0.0), plateau)
    assert before.get_last_lr() == [plateau.init_value] * 2
    assert rates_of(before, metrics[:killed]) == expected[:killed]
    after = PlateauLR(sgd(1.0, 2.0), plateau)
    after.load_state_dict(reloaded(before.state_dict()))
    assert after.state == before.state
    assert after.state_dict() == before.state_dict()
    assert [group["lr"] for group in after.optimizer.param_groups] == [before.state.value] * 2
    assert rates_of(after, metrics[killed:]) == expected[killed:]


@settings(max_examples=100)
@given(runs, st.integers(0, LENGTH))
def test_the_state_of_torchs_own_is_continued(
    run: tuple[Plateau, list[float]], killed: int
) -> None:
    plateau, metrics = run
    own = torchs(plateau)
    rates_of(own, metrics[:killed])
    scheduler = PlateauLR(sgd(1.0), plateau)
    with pytest.warns(UserWarning, match="was written with another scheduler"):
        scheduler.load_state_dict(reloaded(own.state_dict()))
    assert rates_of(scheduler, metrics[killed:]) == rates_of(own, metrics[killed:])


def test_it_stands_where_torchs_does() -> None:
    optimizer = sgd(1.0)
    scheduler = PlateauLR(optimizer, PLATEAU)
    assert isinstance(scheduler, ReduceLROnPlateau)
    assert isinstance(scheduler, LRScheduler)
    rates_of(scheduler, METRICS[:6])
    last = states(PLATEAU, METRICS[:6])[-1]
    assert (scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter) == last[1:]
    assert scheduler.in_cooldown
    assert scheduler.last_epoch == 6
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        SequentialLR(optimizer, [scheduler, scheduler], [3])


def test_a_tensor_is_filled_in_place() -> None:
    tensor = torch.tensor(7.0)
    scheduler = PlateauLR(sgd(tensor, 7.0), PLATEAU)
    for metric, value in zip(METRICS, VALUES, strict=True):
        last = scheduler.get_last_lr()[0]
        kept = float(last)
        scheduler.step(torch.tensor(metric))
        assert scheduler.optimizer.param_groups[0]["lr"] is tensor
        assert tensor == value
        assert scheduler.optimizer.param_groups[1]["lr"] == value
        assert float(last) == kept
    again = PlateauLR(sgd(torch.tensor(7.0)), PLATEAU)
    again.load_state_dict(reloaded(scheduler.state_dict()))
    assert again.optimizer.param_groups[0]["lr"] == VALUES[-1]


def test_a_group_that_is_added_gets_the_value_too() -> None:
    scheduler = PlateauLR(sgd(1.0), PLATEAU)
    scheduler.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 9.0})
    assert rates_of(scheduler, METRICS) == [[value] * 2 for value in VALUES]


def test_training_with_it_warns_of_nothing() -> None:
    scheduler = PlateauLR(sgd(1.0), PLATEAU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.optimizer.step()
        scheduler.step(1.0)


def test_another_plateau_in_the_checkpoint_warns_and_only_its_state_is_taken() -> None:
    before = PlateauLR(sgd(1.0), PLATEAU)
    rates_of(before, METRICS[:5])
    after = PlateauLR(sgd(1.0), PLATEAU.replace(decay_rate=0.1))
    with pytest.warns(UserWarning, match="the plateau in the code is kept") as warned:
        after.load_state_dict(reloaded(before.state_dict()))
    assert repr(PLATEAU) in str(warned[0].message)
    assert repr(after.plateau) in str(warned[0].message)
    assert warned[0].filename == __file__
    assert rates_of(after, METRICS[5:6]) == [[0.05]]


GOOD = PlateauLR(sgd(1.0), PLATEAU).state_dict()


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        ([3], TypeError, "state_dict must be a mapping, got [3]"),
        ({}, TypeError, "last_epoch must be an integer >= 0 (observations), got None"),
        ({"last_epoch": 3, "_last_lr": 1}, TypeError, "value must be a number >= 0, got None"),
        (GOOD | {"value": NAN}, ValueError, "value must be a number >= 0, got nan"),
        (GOOD | {"best": "1"}, TypeError, "best must be a number, got '1'"),
        (GOOD | {"best": True}, TypeError, "best must be a number, got True"),
        (
            GOOD | {"num_bad_epochs": -1},
            ValueError,
            "num_bad_epochs must be an integer >= 0 (observations), got -1",
        ),
        (
            GOOD | {"cooldown_counter": 0.5},
            TypeError,
            "cooldown_counter must be an integer >= 0 (observations), got 0.5",
        ),
    ],
)
def test_a_state_of_something_else_is_refused(
    state: Any, error: type[Exception], text: str
) -> None:
    scheduler = PlateauLR(sgd(1.0), PLATEAU)
    rates_of(scheduler, METRICS[:3])
    before = scheduler.state_dict()
    with pytest.raises(error) as refused:
        scheduler.load_state_dict(state)
    assert str(refused.value) == f"load_state_dict: {text}"
    assert scheduler.state_dict() == before


@pytest.mark.parametrize(
    ("attempt", "text"),
    [
        (lambda new: new(None, PLATEAU), "optimizer must be a torch optimizer, got None"),
        (
            lambda new: new(sgd(1.0), 0.1),
            "plateau must be a reduce_on_plateau of plain numbers, got 0.1",
        ),
        (
            lambda new: new(sgd(1.0), jax.tree.map(jnp.asarray, PLATEAU)),
            "plateau must be a reduce_on_plateau of plain numbers, got reduce_on_plateau(init_v",
        ),
        (lambda new: new(sgd(1.0), PLATEAU).step(None), "metrics must be a number, got None"),
        (lambda new: new(sgd(1.0), PLATEAU).step("x"), "metrics must be a number, got 'x'"),
        (
            lambda new: new(sgd(1.0), PLATEAU).step(torch.zeros(2)),
            "metrics must be a number, got tensor([0., 0.])",
        ),
    ],
)
def test_bad_arguments_are_refused_in_torch(attempt: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(TypeError) as refused:
        attempt(PlateauLR)
    assert str(refused.value).startswith(f"PlateauLR: {text}")


# optax

GRADIENTS = {"a": jnp.ones(2), "b": (jnp.ones((), jnp.bfloat16), None)}


@jax.jit
def applied(plateau: Plateau, metrics: jax.Array) -> Any:
    """Every update of unit gradients in a compiled loop."""
    optimizer = optax.chain(optax.trace(0.0), scale_by_plateau_learning_rate(plateau))

    def step(state: Any, metric: jax.Array) -> tuple[Any, Any]:
        updates, state = optimizer.update(GRADIENTS, state, value=metric)
        return state, updates

    return jax.lax.scan(step, optimizer.init(GRADIENTS), metrics)[1]


@settings(max_examples=100)
@given(runs)
def test_optax_applies_torchs_learning_rates(run: tuple[Plateau, list[float]]) -> None:
    plateau, metrics = run
    expected = [lr for (lr,) in rates_of(torchs(plateau), metrics)]
    with jax.enable_x64(True):
        updates = applied(plateau, jnp.asarray(metrics))
    assert updates["a"].dtype == jnp.float32
    assert updates["b"][0].dtype == jnp.bfloat16
    rates = np.asarray(expected, np.float32)
    np.testing.assert_array_equal(updates["a"], -np.stack([rates, rates], axis=1))
    halves = np.asarray(updates["b"][0], np.float32)
    np.testing.assert_allclose(halves, -rates, rtol=2.0**-7)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_jitted_training_step_follows_torch(name: str) -> None:
    before = {"adam": optax.scale_by_adam(), "sgd": optax.identity()}[name]
    optimizer = optax.chain(before, scale_by_plateau_learning_rate(PLATEAU))
    plain = {"adam": optax.scale_by_adam(), "sgd": optax.identity()}[name]
    traces = []

    @jax.jit
    def step(params: Any, state: Any, metric: Any) -> Any:
        traces.append(1)
        updates, state = optimizer.update(2 * params, state, params, value=metric)
        return optax.apply_updates(params, updates), state

    params = expected = jnp.asarray([1.0, -2.0])
    state, plain_state = optimizer.init(params), plain.init(params)
    for metric, (lr,) in zip(METRICS, rates_of(torchs(PLATEAU), METRICS), strict=True):
        params, state = step(params, state, metric)
        assert state[1].value == lr
        direction, plain_state = plain.update(2 * expected, plain_state)
        expected = expected - lr * direction
        np.testing.assert_allclose(params, expected, rtol=1e-5)
    assert len(traces) == 1


def test_without_a_metric_the_rate_stays() -> None:
    transformation = scale_by_plateau_learning_rate(PLATEAU)
    state = transformation.init(None)
    for metric, value in zip(METRICS, VALUES, strict=True):
        for observation in (metric, None, None):
            updates, state = transformation.update(jnp.ones(()), state, value=observation)
            assert updates == -value


def test_unflipped_it_follows_an_optimizer_with_a_rate() -> None:
    plateau = reduce_on_plateau(1.0, 0.5, patience=0)
    optimizer = optax.chain(
        optax.sgd(0.25), scale_by_plateau_learning_rate(plateau, flip_sign=False)
    )
    state, found = optimizer.init(jnp.ones(())), []
    for _ in range(3):
        updates, state = optimizer.update(jnp.ones(()), state, value=1.0)
        found.append(float(updates))
    assert found == [-0.25, -0.125, -0.0625]


def test_a_missing_metric_is_an_error() -> None:
    transformation = scale_by_plateau_learning_rate(PLATEAU)
    with pytest.raises(TypeError, match="value"):
        transformation.update(jnp.ones(()), transformation.init(None))


def test_what_is_no_plateau_is_refused_in_optax() -> None:
    message = "scale_by_plateau_learning_rate: plateau must be a reduce_on_plateau, got 0.1"
    with pytest.raises(TypeError, match=message):
        scale_by_plateau_learning_rate(0.1)  # type: ignore[arg-type]


def contrib(patience: int, metrics: Sequence[float]) -> list[float]:
    """The scales of optax's own after each metric."""
    transformation = optax.contrib.reduce_on_plateau(0.5, patience)
    state, found = transformation.init(jnp.ones(())), []
    for metric in metrics:
        _, state = transformation.update(jnp.ones(()), state, value=metric)
        found.append(float(state.scale))
    return found


@pytest.mark.parametrize(
    ("patience", "metrics", "ours", "optaxs"),
    [
        (2, [1.0] * 5, [1.0, 1.0, 1.0, 0.5, 0.5], [1.0, 1.0, 0.5, 0.5, 0.25]),
        (0, [1.0] * 4, [1.0, 0.5, 0.25, 0.125], [0.5, 0.5, 0.5, 0.5]),
        (0, [4.0, 3.0, 2.0, 1.0], [1.0] * 4, [0.5, 0.25, 0.125, 0.0625]),
    ],
)
def test_where_optaxs_own_differs(
    patience: int, metrics: list[float], ours: list[float], optaxs: list[float]
) -> None:
    """It cuts an observation early, and with a patience of 0 when the metric gets better."""
    plateau = reduce_on_plateau(1.0, 0.5, patience)
    assert [lr for (lr,) in rates_of(torchs(plateau), metrics)] == ours
    assert [state.value for state in states(plateau, metrics)] == ours
    assert contrib(patience, metrics) == optaxs

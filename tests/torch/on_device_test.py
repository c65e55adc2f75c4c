"""`on_device`: rates computed on the device of the optimizer, also in a compiled step."""

import io
import json
from collections.abc import Callable
from typing import Any

from tests.optional import needs

needs("torch")

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounterWithBackend
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import lrsched
from lrsched import Schedule
from lrsched_torch import DeviceLR, lambda_lr, layerwise_groups, on_device
from tests.backends import TORCH_COMPILES
from tests.strategies import BY_NAME
from tests.ulp import ulps

LINE = lrsched.linear(0.3, 0.0, 10)
STEPS = 20
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # the compiler's own
ULPS = 4.0  # of float32

RECIPES = [
    lrsched.cyclic(0.001, 0.006, up_steps=5, mode="triangular2"),
    lrsched.warmup(lrsched.cosine_decay(0.1, 30), 5),
    lrsched.one_cycle(0.1, 40),
    lrsched.cosine_restarts(0.1, 3, period_mult=2),
    lrsched.exponential_decay(0.1, 0.9),
]


def weights() -> list[torch.nn.Parameter]:
    made = torch.nn.Parameter(torch.zeros(3))
    made.grad = torch.ones(3)
    return [made]


def sgd(*lrs: Any) -> Optimizer:
    """An optimizer with a param group for each learning rate, by default one."""
    groups = [{"params": weights(), "lr": lr} for lr in lrs or (torch.tensor(1.0),)]
    return torch.optim.SGD(groups)


def adam() -> Optimizer:
    return torch.optim.Adam(weights(), lr=torch.tensor(1.0), capturable=True)


def lrs_of(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def advance(rates: DeviceLR, steps: int = 1) -> list[list[float]]:
    """The groups' learning rates at each of the next updates."""
    seen = []
    for _ in range(steps):
        seen.append(lrs_of(rates.optimizer))
        rates.optimizer.step()
        rates.step()
    return seen


def check(seen: list[float], schedule: Schedule, first: int = 0) -> None:
    errors = [ulps(got, schedule(count)) for count, got in enumerate(seen, first)]
    assert max(errors) <= ULPS


def reloaded(state: Any) -> Any:
    """What a checkpoint gives back where nothing but plain data is allowed in it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# The learning rates


@pytest.mark.parametrize("schedule", RECIPES, ids=lambda schedule: schedule.name)
def test_the_lr_is_the_schedule(schedule: Schedule) -> None:
    rates = on_device(sgd(torch.tensor(1.0), torch.tensor(1.0)), schedule)
    seen = advance(rates, 50)
    assert all(first == second for first, second in seen)
    check([first for first, _ in seen], schedule)


def test_the_tensors_of_the_optimizer_are_written_in_place() -> None:
    tensor = torch.tensor(1.0, dtype=torch.float64)
    rates = on_device(sgd(tensor), LINE)
    last = rates.get_last_lr()
    advance(rates, 3)
    assert rates.optimizer.param_groups[0]["lr"] is tensor
    assert float(tensor) == pytest.approx(LINE(3), rel=2**-22)
    assert last == [torch.tensor(LINE(0), dtype=torch.float64)]


def test_a_list_has_a_schedule_for_each_group_that_share_a_tensor() -> None:
    groups = [{"params": weights()}, {"params": weights()}]
    optimizer = torch.optim.SGD(groups, lr=torch.tensor(1.0))
    seen = advance(on_device(optimizer, [LINE, lrsched.constant(0.5)]), STEPS)
    check([first for first, _ in seen], LINE)
    assert {second for _, second in seen} == {0.5}


def test_keep_ratios_keeps_the_proportions() -> None:
    groups = layerwise_groups([weights() for _ in range(3)], 1.0, 0.5)
    optimizer = torch.optim.SGD([{**group, "lr": torch.tensor(group["lr"])} for group in groups])
    for first, second, third in advance(on_device(optimizer, LINE, keep_ratios=True), STEPS):
        assert (second, third) == (first / 2, first / 4)


@pytest.mark.parametrize("last_step", [-1, 0, 6])
def test_last_step_is_the_step_already_made(last_step: int) -> None:
    seen = advance(on_device(sgd(), LINE, last_step=last_step), STEPS)
    check([lr for (lr,) in seen], LINE, last_step + 1)


# Compiled


def compiled(optimizer: Optimizer, after: Callable[[], None], backend: str) -> Any:
    """A compiled update of one graph, and the counter of its compilations.

    torch's tests unwrap `step` in the same way: its wrapper breaks the graph on purpose.
    """
    needs("torch", TORCH_COMPILES)
    torch.compiler.reset()
    update: Any = type(optimizer).step.__wrapped__.__wrapped__  # type: ignore[attr-defined]
    counter = CompileCounterWithBackend(backend)

    def step() -> None:
        update(optimizer)
        after()

    return torch.compile(torch.no_grad()(step), fullgraph=True, backend=counter), counter


@pytest.mark.parametrize("schedule", RECIPES, ids=lambda schedule: schedule.name)
def test_a_compiled_step_is_compiled_once(schedule: Schedule) -> None:
    optimizer = sgd()
    rates = on_device(optimizer, schedule)
    step, counter = compiled(optimizer, rates.step, "aot_eager")
    seen: list[float] = []
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(50):
            seen.append(*lrs_of(optimizer))
            step()
    assert counter.frame_count == 1
    check(seen, schedule)
    used = -sum(schedule(count) for count in range(50))  # which gradients of 1 add up
    assert optimizer.param_groups[0]["params"][0].tolist() == pytest.approx([used] * 3, rel=1e-5)


def test_torchs_own_compiler_keeps_the_learning_rates() -> None:
    optimizer, schedule = adam(), lrsched.exponential_decay(0.1, 0.9)
    rates = on_device(optimizer, schedule)
    step, counter = compiled(optimizer, rates.step, "inductor")
    seen: list[float] = []
    for _ in range(50):
        seen.append(*lrs_of(optimizer))
        step()
    assert counter.frame_count == 1
    check(seen, schedule)


def test_a_list_and_ratios_are_compiled_once() -> None:
    for schedule, keep_ratios in (([LINE, RECIPES[0]], False), (LINE, True)):
        optimizer = sgd(torch.tensor(1.0), torch.tensor(0.5))
        rates = on_device(optimizer, schedule, keep_ratios=keep_ratios)
        step, counter = compiled(optimizer, rates.step, "eager")
        for _ in range(STEPS):
            step()
        assert counter.frame_count == 1
        check([rates.get_last_lr()[0].item()], LINE, STEPS)


def test_the_count_of_compilations_can_fail() -> None:
    """A float rate is part of the compiled code (pytorch#120934)."""
    optimizer = torch.optim.Adam(weights(), lr=0.1)
    theirs = ExponentialLR(optimizer, 0.9)
    optimizer._opt_called = True  # type: ignore[attr-defined]  # by its unwrapped `step`
    step, counter = compiled(optimizer, lambda: None, "eager")
    for _ in range(3):
        step()
        theirs.step()
    assert counter.frame_count > 1


def test_a_step_that_torch_breaks_is_compiled_once_too() -> None:
    """`optimizer.step()` as it stands, with the wrapper that breaks the graph."""
    needs("torch", TORCH_COMPILES)
    torch.compiler.reset()
    optimizer = sgd()
    rates = on_device(optimizer, LINE)
    counter = CompileCounterWithBackend("eager")

    def step() -> None:
        optimizer.step()
        rates.step()

    run = torch.compile(step, backend=counter)
    seen: list[float] = []
    frames = []
    for _ in range(STEPS):
        seen.append(*lrs_of(optimizer))
        run()
        frames.append(counter.frame_count)
    assert len(set(frames)) == 1
    check(seen, LINE)


# Without the host


class OnOneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises where values go from one device to another."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, made)) if isinstance(x, torch.Tensor)]
        devices = {tensor.device for tensor in tensors if tensor.numel()}
        if len(devices) > 1:
            raise AssertionError(f"{func} copies between {devices}")
        return made


def on_meta(schedule: Schedule, step: Callable[[DeviceLR], None]) -> None:
    """Run a step on tensors that have a device and no values."""
    parameter = torch.nn.Parameter(torch.empty(3, device="meta"))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    lr = torch.full((), 1.0, device="meta")
    optimizer.param_groups[0]["lr"] = lr  # SGD itself compares it with 0
    rates = on_device(optimizer, schedule)
    assert rates.count.device == lr.device
    with OnOneDevice():  # type: ignore[no-untyped-call]
        step(rates)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_step_neither_reads_from_the_device_nor_copies_to_it(name: str) -> None:
    """Either would make the host wait for the device, and neither can be in a CUDA graph."""

    @settings(max_examples=2)
    @given(BY_NAME[name])
    def check(schedule: Schedule) -> None:
        on_meta(schedule, DeviceLR.step)

    check()


def test_the_check_of_waiting_can_fail() -> None:
    def reading(rates: DeviceLR) -> None:
        rates.optimizer.param_groups[0]["lr"].fill_(LINE(int(rates.count)))

    def writing(rates: DeviceLR) -> None:
        rates.optimizer.param_groups[0]["lr"].copy_(torch.tensor(LINE(3)))

    with pytest.raises(RuntimeError, match="item"):
        on_meta(LINE, reading)
    with pytest.raises(AssertionError, match="copies between"):
        on_meta(LINE, writing)


def test_a_group_that_is_added_is_included_outside_the_compiled_step() -> None:
    needs("torch", TORCH_COMPILES)
    optimizer = sgd()
    rates = on_device(optimizer, LINE)
    step = torch.compile(rates.step, backend="eager", fullgraph=True)
    step()
    optimizer.add_param_group({"params": weights(), "lr": torch.tensor(LINE(1) / 2)})
    with pytest.raises(Exception, match="called once outside the compiled function"):
        step()
    assert rates.count == 1
    rates.step()
    step()
    assert lrs_of(optimizer) == pytest.approx([LINE(3), LINE(3) / 2], rel=1e-6)


# Checkpoints


def test_a_checkpoint_is_plain_data() -> None:
    rates = on_device(sgd(), LINE)
    advance(rates, 3)
    state = rates.state_dict()
    assert reloaded(state) == json.loads(json.dumps(state)) == state
    assert state["last_epoch"] == 3
    assert state["recipe"] == [repr(LINE)]


@settings(max_examples=20)
@given(schedule=st.sampled_from(RECIPES), killed=st.integers(0, STEPS))
def test_resuming_gives_the_same_sequence(schedule: Schedule, killed: int) -> None:
    rates = on_device(sgd(), schedule)
    advance(rates, killed)
    optimizer = sgd()
    optimizer.load_state_dict(reloaded(rates.optimizer.state_dict()))
    state = reloaded(rates.state_dict())
    loaded = on_device(optimizer, schedule)
    count = loaded.count
    loaded.load_state_dict(state)
    assert loaded.count is count  # which a compiled step holds
    assert advance(loaded, STEPS) == advance(rates, STEPS)


@pytest.mark.parametrize("lr", [0.7, torch.tensor(0.7)])
def test_the_optimizers_state_may_bring_another_lr(lr: Any) -> None:
    rates = on_device(sgd(), LINE)
    advance(rates, 3)
    state = reloaded(rates.state_dict())
    rates.optimizer.load_state_dict(sgd(lr).state_dict())
    rates.load_state_dict(state)
    check([lr for (lr,) in advance(rates, STEPS)], LINE, 3)


def test_checkpoints_of_lambda_lr_and_of_this_are_the_same() -> None:
    theirs, ours = lambda_lr(sgd(), LINE, last_step=4), on_device(sgd(), LINE, last_step=6)
    state = reloaded(ours.state_dict())
    ours.load_state_dict(reloaded(theirs.state_dict()))  # neither warns
    theirs.load_state_dict(state)
    check(lrs_of(ours.optimizer), LINE, 5)
    check(lrs_of(theirs.optimizer), LINE, 7)


def test_another_recipe_in_the_checkpoint_warns_and_is_not_taken() -> None:
    before = on_device(sgd(), lrsched.constant(0.5), last_step=2)
    rates = on_device(sgd(), LINE)
    with pytest.warns(UserWarning, match="the schedule in the code is kept") as warned:
        rates.load_state_dict(reloaded(before.state_dict()))
    assert warned[0].filename == __file__
    check([lr for (lr,) in advance(rates, STEPS)], LINE, 3)


def test_a_state_without_a_step_is_refused() -> None:
    rates = on_device(sgd(), LINE, last_step=4)
    with pytest.raises(TypeError, match="load_state_dict: last_epoch must be an integer"):
        rates.load_state_dict({"last_epoch": 3.0})
    assert rates.count == 5


# Refusals

TENSORS = (torch.tensor(0.0), torch.tensor(0.1))


@pytest.mark.parametrize(
    ("lrs", "arguments", "error", "message"),
    [
        (
            (0.1,),
            {},
            TypeError,
            r"the optimizer's lr must be a tensor, as in Adam\(parameters, "
            r"lr=torch.tensor\(0.001\), capturable=True\), got 0.1",
        ),
        ((torch.tensor(0.1), 0.1), {}, TypeError, "the optimizer's lr must be a tensor"),
        (
            (torch.tensor(0.1), torch.tensor(0.1, device="meta")),
            {},
            ValueError,
            "the optimizer's lr must be on cpu in every group, got device",
        ),
        (TENSORS, {"schedule": 0.1}, TypeError, "schedule must be a schedule of plain numbers"),
        (TENSORS, {"schedule": [LINE]}, ValueError, "a list of 2, one for each param group"),
        (TENSORS, {"reference_group": 0}, ValueError, "lr of param group 0 must be above 0"),
        (TENSORS, {"last_step": -2}, ValueError, "last_step must be an integer >= -1"),
        (
            TENSORS,
            {"schedule": lrsched.linear(1, 0, lrsched.run_fraction(1.0))},
            ValueError,
            "resolve it with",
        ),
    ],
)
def test_a_refusal_leaves_the_optimizer_as_it_was(
    lrs: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = sgd(*lrs)
    groups = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(error, match=message):
        on_device(optimizer, **{"schedule": LINE, **arguments})
    assert [group.keys() for group in optimizer.param_groups] == [each.keys() for each in groups]
    assert all(
        group["lr"] is each["lr"]
        for group, each in zip(optimizer.param_groups, groups, strict=True)
    )
    assert [*map(float, TENSORS)] == pytest.approx([0.0, 0.1])


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(TypeError, match="on_device: optimizer must be a torch optimizer, got"):
        on_device(None, LINE)  # type: ignore[arg-type]

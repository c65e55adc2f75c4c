"""A learning-rate range test over a torch training step, which leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lrsched import Schedule
from lrsched._core import Refusal
from lrsched.range_test import DIVERGENCE, PROBE_REPEATS, PROBE_STEPS, RangeTest
from lrsched.range_test.options import check_metrics, checked_options
from lrsched_torch._range_test import checks
from lrsched_torch._range_test.batches import Batches
from lrsched_torch._range_test.processes import processes_of
from lrsched_torch._range_test.runner import Metrics, Runner
from lrsched_torch._range_test.updates import Rates, Step, Updates
from lrsched_torch._snapshot.storage import Location
from lrsched_torch._snapshot.training_state import (
    modules_in,
    snapshot,
    state_of,
    trained_elsewhere,
)

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


REFUSE = Refusal("range_test")


def range_test(
    step: Step,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Any],
    schedule: Schedule | Sequence[Schedule] | None = None,
    steps: int = 200,
    *,
    modules: nn.Module | Iterable[nn.Module] | None = None,
    restore: Iterable[Any] = (),
    scaler: Any = None,
    accumulate: int = 1,
    closure: bool | None = None,
    divergence: float | None = DIVERGENCE,
    keep_ratios: bool = True,
    memory: Location = "device",
    metrics: Metrics | None = None,
    every: int = 10,
    refine: bool = False,
    probe_steps: int = PROBE_STEPS,
    probe_repeats: int = PROBE_REPEATS,
    distributed: bool | ProcessGroup | None = None,
    progress: bool = True,
    label: str = "torch",
) -> RangeTest:
    """Train with rising learning rates, record the loss of each update, and undo it all.

    The test makes `steps` updates, and fewer where the loss is twice in a row above `divergence`
    times the first, where it is not finite, or where the batches run out. The rates are those that
    the updates used, the losses those before they were applied. Afterwards all is as it was, also
    where `step` raises or is interrupted, so that training goes on as if there had been no test:
    parameters, buffers, modes and other attributes of the modules, `.grad`, the optimizer with its
    state and groups, schedulers, gradient scalers, and the generators of torch, its devices, NumPy,
    Python and the loader. What is in a file, on a server or in a loader's living worker processes
    does not come back, nor do batches that were drawn from an iterator that cannot be restarted.

    Args:
        step: `step(batch) -> loss`, a training step without `optimizer.step()`: it computes the
            loss and calls `backward`. Gradients are zeroed before it.
        optimizer: the optimizer to drive.
        batches: the batches. A loader or list is begun anew when it ends; an iterator ends the
            test, with `stopped="exhausted"`.
        schedule: the learning rate of update 0, 1, ..., or a list with one for each param group;
            by default `exponential_ramp(1e-7, 10.0, steps - 1)`.
        steps: the number of updates.
        modules: the modules to restore; by default every module, scheduler, scaler, generator and
            further optimizer that `step` and `metrics` refer to.
        restore: what else to restore: modules (averaged weights), optimizers, schedulers, scalers,
            generators, tensors, or any object with `state_dict` and `load_state_dict`.
        scaler: the `torch.amp.GradScaler` that `step` scales its loss with; an update that it
            skips is made again, with the same rate and other batches.
        accumulate: the batches of an update. `step` divides the loss it differentiates, not the
            one it returns; their mean is recorded.
        closure: whether to call `optimizer.step(closure)`; by default where the optimizer needs it.
        divergence: the multiple of the first loss, > 1; None goes on.
        keep_ratios: the first param group's rate is the schedule's value, and the others' stay in
            the proportion to it that they have (as for `lambda_lr`); False gives all the same.
        memory: where the copies of tensors are: "device" (beside them), "cpu", or "disk" (a
            private temporary file, removed in any case).
        metrics: a function that returns numbers by name, called without gradients; generators and
            modes are then as before. They are `RangeTest.metrics`, rows of (update, value). It is
            called before update 0, `every`, ...
        every: updates from one call of `metrics` to the next.
        refine: train at about 7 rates around the sweep's suggestion, each from the same state for
            `probe_steps` updates, `probe_repeats` times on different batches of the sweep; that is
            `RangeTest.probe`. A sweep that suggests nothing is returned without.
        probe_steps: the updates of each training of the probe.
        probe_repeats: the trainings at each rate.
        distributed: whether all processes, or those of a group, use their mean loss and so stop
            together; by default where torch.distributed is initialised.
        progress: show a bar, in terminals and notebooks, if tqdm is installed.
        label: what figures call the test.

    Raises:
        TypeError, ValueError: an argument is refused, or `step` does not return one number or
            leaves no gradients; all is as it was.
        RuntimeError: something could not be restored (the rest is), or another process failed.

    Where a process of a distributed run raises outside of drawing its batches, it restores its own
    state and raises at once. The others wait for it where they meet it next, as in training, until
    it ends or the group's timeout; then they do the same. torch's wrappers do not go on after an
    exception inside of them: DistributedDataParallel in its backward pass, FSDP in either.

    Elsewhere: `LRFinder.range_test` in torch-lr-finder, `Tuner.lr_find` in Lightning,
    `FastaiLRFinder.attach` in ignite, `Learner.lr_find` in fastai. These need a model and a
    criterion, or their own trainer, and leave generators and gradients changed.

    >>> import lrsched, torch
    >>> weights = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.SGD([weights], lr=0.1)
    >>> def step(batch):
    ...     loss = ((weights - batch) ** 2).mean()
    ...     loss.backward()
    ...     return loss
    >>> ramp = lrsched.exponential_ramp(0.01, 100.0, 39)
    >>> found = range_test(step, optimizer, [torch.zeros(3)], ramp, 40, progress=False)
    >>> found.stopped, found.learning_rates[0], found.losses[0]
    ('diverged', np.float64(0.01), np.float64(1.0))
    >>> weights.tolist(), optimizer.param_groups[0]["lr"]
    ([1.0, 1.0, 1.0], 0.1)
    """
    weights = checks.weights_of(step, optimizer, batches)
    steps, accumulate, every = checked_options(
        REFUSE, steps=steps, accumulate=accumulate, every=every
    )
    probe_steps, probe_repeats = checked_options(
        REFUSE, probe_steps=probe_steps, probe_repeats=probe_repeats
    )
    divergence, keep_ratios, refine, memory = checked_options(
        REFUSE, divergence=divergence, keep_ratios=keep_ratios, refine=refine, memory=memory
    )
    check_metrics(REFUSE, metrics, "a function that returns numbers by name")
    closure = checks.closure_of(optimizer, closure, scaler)
    schedules = checks.schedules_of(schedule, optimizer, steps, refine)
    rates = Rates(optimizer, schedules, keep_ratios and len(schedules) == 1, steps)
    processes = processes_of(distributed, weights[0].device)

    extra = [*restore, *([] if scaler is None else [scaler])]
    found = state_of(modules, extra, step, optimizer, batches, metrics)
    inside = modules_in([*found, *extra])
    others = trained_elsewhere(inside, weights)
    updates = Updates(step, optimizer, rates, others, scaler, closure)
    source = Batches(batches, accumulate, probe_steps * probe_repeats if refine else 0)
    runner = Runner(updates, source, processes, metrics, every, progress, inside)

    kept = snapshot([optimizer, *found], extra, memory)
    try:
        with kept.restored(), torch.enable_grad():
            swept = runner.sweep(rates.rows, divergence, schedules[0], label)
            if not refine:
                return swept
            return runner.refine(swept, probe_steps, probe_repeats, kept.rewind, rates.at)
    finally:
        runner.close()

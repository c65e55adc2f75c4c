"""The range test at the beginning of a fit, and the rate that it may set; two processes."""

import pickle
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import numpy as np
import pytest
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, SequentialLR, StepLR
from torch.utils.data import DataLoader

import lrsched
from lrsched.range_test import RangeTest
from lrsched_torch import lambda_lr
from lrsched_torch._lightning.loop import Run
from lrsched_torch._range_test.options import Options
from lrsched_torch.lightning import RangeTestCallback, range_test
from tests.processes import outputs, run_python, start
from tests.torch.lightning_net import STEPS, Net, callback, data, fitted
from tests.torch.lightning_trainer import IGNORED, quiet_trainer

pytestmark = IGNORED


def halving(optimizer: Any) -> Any:
    return LambdaLR(optimizer, lambda count: 0.5**count)


def in_parts(optimizer: Any) -> Any:
    parts: list[Any] = [StepLR(optimizer, 1, 0.5), StepLR(optimizer, 100)]
    return SequentialLR(optimizer, parts, [2])


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (None, [1, 1, 1, 1]),
        (halving, [1, 0.5, 0.25, 0.125]),
        (in_parts, [1, 0.5, 1, 1]),
    ],
)
def test_the_suggested_rate_is_that_of_the_fit(schedule: Any, factors: list[float]) -> None:
    """In the hyperparameter, in the groups by their ratios, and in what schedulers multiply."""
    module, tests = Net(schedule), callback(update_attr=True)
    rates = fitted(module, tests)
    assert tests.result is not None
    suggested = tests.result.suggest().suggested
    assert suggested != 0.1
    assert module.hparams["learning_rate"] == suggested
    wanted = [[suggested * factor, suggested * factor / 8] for factor in factors]
    np.testing.assert_allclose(rates, wanted, rtol=1e-14)
    assert rates == fitted_with(suggested, schedule)


def fitted_with(rate: float, schedule: Any) -> list[list[float]]:
    """The rates of a fit of a module that has the rate from the beginning."""
    module = Net(schedule)
    module.hparams["learning_rate"] = rate
    return fitted(module)


class Halving:
    """A scheduler that is none of torch's."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self, metric: Any = None) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] /= 2

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class WithHalving(Net):
    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        scheduler.step()


@pytest.mark.parametrize("schedule", [halving, Halving])
def test_the_rate_stays_unless_it_is_to_be_set(schedule: Any) -> None:
    plain = fitted(WithHalving(schedule))
    assert plain[1][0] == plain[0][0] / 2
    assert fitted(WithHalving(schedule), callback()) == plain


def test_a_schedule_of_ours_keeps_its_rates() -> None:
    def ours(optimizer: Any) -> Any:
        return lambda_lr(optimizer, lrsched.cosine_decay(0.1, 10))

    assert fitted(Net(ours), callback(update_attr=True)) == fitted(Net(ours))


def test_without_a_suggestion_the_rate_stays_with_a_warning() -> None:
    module, tests = Net(), callback(update_attr=True, low=1e-9, high=1e-8)
    with pytest.warns(UserWarning, match=r"^RangeTestCallback leaves the learning rate: "):
        rates = fitted(module, tests, loader=data(flat=True))
    assert rates == fitted(Net())
    assert module.hparams["learning_rate"] == 0.1


class Again(RangeTestCallback):
    """Tests in the second epoch."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None: ...

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 1:
            self.run(trainer, pl_module)


class Noted(Net):
    """Notes the losses of its batches."""

    def __init__(self, schedule: Any, losses: list[float]) -> None:
        super().__init__(schedule)
        self.note_loss = losses.append

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.note_loss(loss.item())
        return loss


def noted(schedule: Any, callbacks: list[Any], **loading: Any) -> list[float]:
    """The losses of the batches of a fit, and of the tests in it."""
    losses: list[float] = []
    module = Noted(None, losses)
    module.schedule = lambda optimizer: schedule(optimizer, module)
    loader = DataLoader(data().dataset, 32, shuffle=True, **loading)
    quiet_trainer(max_epochs=3, callbacks=callbacks).fit(module, loader)
    return losses


# Not forked: the process may have threads of JAX.
SERVED = {"num_workers": 1, "persistent_workers": True, "multiprocessing_context": "forkserver"}
WORKERS = [{}, SERVED]


@pytest.mark.parametrize("loading", WORKERS)
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_test_in_the_middle_of_a_fit(loading: Any) -> None:
    """It begins with the weights of that moment, and the fit goes on as without it."""
    tests = Again(steps=5, low=1e-3, progress=False)
    plain, disturbed = (noted(lambda o, _: halving(o), each, **loading) for each in ([], [tests]))
    assert tests.result is not None
    assert tests.result.losses.tolist() == disturbed[10:15]
    assert disturbed[:10] + disturbed[15:] == plain


@pytest.mark.parametrize("loading", WORKERS)
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_data_that_is_loaded_before_the_fit_begins(loading: Any) -> None:
    """For the number of its batches, which the schedule needs."""

    def one_cycle(optimizer: Any, module: Any) -> Any:
        return OneCycleLR(optimizer, 0.1, module.trainer.estimated_stepping_batches)

    tests = callback(steps=5)
    plain, disturbed = (noted(one_cycle, each, **loading) for each in ([], [tests]))
    assert disturbed[5:] == plain


def test_a_callback_does_not_go_on() -> None:
    """Where `range_test` does."""
    tests = callback()
    fitted(Net(), tests)
    options: dict[str, Any] = {"steps": STEPS, "low": 1e-2, "high": 1e3, "progress": False}
    found = range_test(quiet_trainer(), Net(), data(), **options)
    assert found.probe is not None
    assert tests.result is not None
    assert tests.result.probe is None
    assert tests.result.losses.tolist() == found.losses.tolist()
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_steps'"):
        callback(max_steps=300)


def test_a_callback_is_copied_with_its_result() -> None:
    """As where processes are spawned."""
    tests = Again(steps=5, progress=False)
    fitted(Net(), tests)
    copied = pickle.loads(pickle.dumps(tests))
    assert vars(copied).keys() == vars(tests).keys()
    assert type(copied) is type(tests)
    assert isinstance(copied, lightning.pytorch.Callback)


def test_lightning_is_imported_by_who_uses_it() -> None:
    names = "{'lightning', 'pytorch_lightning'} & {*sys.modules}"
    code = f"import sys, lrsched_torch.lightning; print({names})"
    assert run_python(code).strip() == "set()"


def test_what_a_spawned_process_gets_can_be_pickled() -> None:
    trainer, module = quiet_trainer(), Net()
    module.note = print
    run = Run(trainer, module, Options(), 0, None, "device")
    copied, _, same = pickle.loads(pickle.dumps((run, module, trainer)))
    assert copied._trainer is same


def test_two_processes_stop_together(tmp_path: Any) -> None:
    outputs(start("lightning_ranks.py", tmp_path, warnings="default"))
    whole = pickle.loads((tmp_path / "result").read_bytes())
    tests: list[RangeTest] = whole["tests"]
    assert [each.stopped for each in tests] == ["diverged", "finished"]
    for test, own in zip(tests, whole["own"], strict=True):
        assert own[0] != own[1]  # each has other batches
        np.testing.assert_array_equal(test.losses, np.mean(own, axis=0))
    assert whole["restored"] == [True, True]
    refined, own, restored = whole["refined"]
    means, ramp = np.mean(own, axis=0).tolist(), len(refined.losses)
    assert restored
    assert means[:ramp] == refined.losses.tolist()
    trained = refined.probe.losses[np.isfinite(refined.probe.losses)]
    assert sorted(means[ramp:]) == sorted(trained.tolist())
    plain, after_callback = whole["fits"]
    assert [own[-len(fit) :] for own, fit in zip(after_callback, plain, strict=True)] == plain
    assert {len(own) - len(fit) for own, fit in zip(after_callback, plain, strict=True)} != {0}

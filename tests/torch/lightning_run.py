"""A fit in Lightning that is the same each time, and range tests in it that go wrong."""

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import lrsched
from lrsched.range_test import RangeTest
from lrsched_torch.lightning import RangeTestCallback, range_test
from tests.torch.lightning_trainer import MemoryLogger, quiet_trainer, trainer_image
from tests.torch.training_run import CLASSES, FEATURES, Net, Planned, image

RAMP = lrsched.exponential_ramp(1e-4, 1.0, 15)
STEPS, EPOCHS = 30, 2
HIGH_AFTER = 20  # batches: a loss is high only after the first ten updates

# What happens in a test, where, at which call.
Plan = tuple[Any, str, int]
NO_PLAN: Plan = ("finished", "", 0)
PLACES = [
    *("training_step", "after backward", "optimizer", "data", "configure_optimizers"),
    *("on_fit_start", "on_train_start", "on_train_batch_start", "on_train_batch_end"),
    *("on_before_zero_grad", "metrics", "transfer_batch_to_device"),
]
ONCE = ("configure_optimizers", "on_fit_start", "on_train_start")
FATES = ["finished", "diverged", "nonfinite", "exhausted", Planned, KeyboardInterrupt]
KINDS = ["automatic", "accumulated", "manual"]


class Plans:
    """What goes wrong in a run, while its plan is there."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.calls = dict.fromkeys(PLACES, 0)

    def come(self, place: str) -> None:
        if self.plan is None:
            return
        self.calls[place] += 1
        fate, where, at = self.plan
        if isinstance(fate, type) and place == where and (place in ONCE or self.calls[place] > at):
            raise fate("planned")


class Batches:
    """A loader that fails, or that ends for good, as planned."""

    def __init__(self, loader: Any, plans: Plans) -> None:
        self.loader, self.plans = loader, plans

    def __iter__(self) -> Iterator[Any]:
        plan = self.plans.plan
        for batch in self.loader:
            if (
                plan is not None
                and plan[0] == "exhausted"
                and self.plans.calls["data"] > plan[2] + 2
            ):
                return
            self.plans.come("data")
            yield batch


def module_class(package: ModuleType) -> Any:
    """The class of the module that is trained, for a package of Lightning."""

    class Module(package.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self, kind: str, plans: Plans) -> None:
            super().__init__()
            self.net = Net()
            self.net.frozen.eval()
            self.scale = nn.Parameter(torch.ones(CLASSES))
            self.other = nn.Parameter(torch.zeros(1))
            self.automatic_optimization = kind != "manual"
            self.augment = np.random.default_rng(2)
            self.plans = plans
            self.lr = 0.05
            self.losses: list[float] = []
            self.rates: list[Any] = []

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            come, (x, y) = self.plans.come, batch
            come("training_step")
            noise = random.random() + np.random.rand() + self.augment.random()
            outputs = self.net(x * (1 + 0.01 * noise)) * self.scale
            loss = nn.functional.cross_entropy(outputs, y) + (self.other - 1).square().sum()
            self.log("loss", loss, on_epoch=True, batch_size=len(x))
            self.losses.append(loss.item())
            if self.plans.plan is None:
                self.rates.append([g["lr"] for g in self.trainer.optimizers[0].param_groups])
            else:
                loss = self.doomed(loss)
            if not self.automatic_optimization:
                self.manual(loss)
            come("after backward")
            return loss

        def manual(self, loss: torch.Tensor) -> None:
            first, second = self.optimizers()
            self.plans.come("on_before_zero_grad")
            first.zero_grad()
            second.zero_grad()
            self.manual_backward(loss)
            first.step()
            second.step()
            self.lr_schedulers().step()

        def doomed(self, loss: torch.Tensor) -> torch.Tensor:
            fate, _, at = self.plans.plan or NO_PLAN
            self.net.eval()
            self.net.norm.train()
            if fate == "nonfinite" and self.plans.calls["training_step"] > 2 * at + 2:
                return loss * float("nan")
            if fate == "diverged" and self.plans.calls["training_step"] > HIGH_AFTER + 2 * at:
                return loss + 1e6
            return loss

        def configure_optimizers(self) -> Any:
            self.plans.come("configure_optimizers")
            body = [p for n, p in self.net.named_parameters() if not n.startswith("last")]
            groups: list[dict[str, Any]] = [
                {"params": body},
                {"params": [*self.net.last.parameters(), self.scale], "lr": self.lr / 10},
            ]
            first = torch.optim.SGD(groups, lr=self.lr, momentum=0.9)
            first.register_step_pre_hook(lambda *_: self.plans.come("optimizer"))
            schedulers = [{"scheduler": StepLR(first, 3, 0.5), "interval": "step"}]
            if self.automatic_optimization:
                return [first], schedulers
            return [first, torch.optim.Adam([self.other], lr=0.02)], schedulers

        def configure_callbacks(self) -> Any:
            return [package.callbacks.Timer()]

    for place in (
        *("on_fit_start", "on_train_start", "on_train_batch_start", "on_train_batch_end"),
        *("on_before_zero_grad", "transfer_batch_to_device"),
    ):

        def hook(self: Any, *args: Any, _place: str = place, **kwargs: Any) -> Any:
            self.plans.come(_place)
            return getattr(super(Module, self), _place)(*args, **kwargs)

        hook.__name__ = place
        setattr(Module, place, hook)
    return Module


class Fit:
    """A module, its data and its trainer, the same each time they are made."""

    def __init__(
        self,
        kind: str = "automatic",
        prior: bool = False,
        package: ModuleType = lightning.pytorch,
        callback: Any = None,
        **options: Any,
    ) -> None:
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        self.plans = Plans()
        self.module = module_class(package)(kind, self.plans)
        data = torch.randn(40, FEATURES)
        dataset = TensorDataset(data, data[:, :CLASSES].argmax(1))
        self.generator = torch.Generator().manual_seed(1)
        self.loader = DataLoader(
            dataset, 8, sampler=RandomSampler(dataset, generator=self.generator)
        )
        self.batches = Batches(self.loader, self.plans)
        self.callbacks = [] if callback is None else [callback]
        if kind == "accumulated":
            options |= {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5}
        self.package = package
        self.trainer = quiet_trainer(
            package,
            max_epochs=EPOCHS,
            callbacks=[*self.callbacks, package.callbacks.LearningRateMonitor()],
            logger=MemoryLogger.of(package)(),
            **options,
        )
        if prior:
            self.fit()
            self.trainer.fit_loop.max_epochs += EPOCHS

    def fit(self) -> None:
        self.trainer.fit(self.module, self.batches)

    def test(self, plan: Plan, **options: Any) -> RangeTest:
        """A range test that goes as planned."""
        self.plans.plan = plan
        self.plans.calls = dict.fromkeys(PLACES, 0)
        try:
            return range_test(self.trainer, self.module, self.batches, **self.options(options))
        finally:
            self.plans.plan = None

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "schedule": RAMP,
            "steps": STEPS,
            "metrics": self.metrics,
            "every": 2,
            "progress": False,
            **options,
        }

    def metrics(self) -> dict[str, Any]:
        torch.rand(3), random.random(), np.random.rand()
        self.module.net.eval()
        self.plans.come("metrics")
        return {"scale": self.module.scale.sum()}

    def image(self) -> Any:
        """All of it, as plain values; without the trainer."""
        module = self.module
        modes = [each.training for each in module.modules()]
        tensors = [*module.net.parameters(), module.scale, module.other]
        own = {k: v for k, v in vars(module).items() if k in ("losses", "rates", "lr", "augment")}
        states = torch.get_rng_state(), random.getstate(), np.random.get_state()
        rest = sorted(vars(module)), module.net, self.loader.sampler, torch.is_grad_enabled()
        return image([modes, tensors, own, *states, *rest])

    def progress(self) -> Any:
        """How far the trainer is."""
        return self.trainer.global_step, self.trainer.current_epoch, self.trainer.should_stop


class PlannedCallback(RangeTestCallback):
    """A callback whose test goes as planned; the fit goes on even if it fails."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(schedule=RAMP, steps=STEPS, progress=False)
        self.plan = plan
        self.fit: Any = None
        self.error: BaseException | None = None
        self.images: list[Any] = []

    def run(self, trainer: Any, pl_module: Any) -> None:
        plans = pl_module.plans
        if self.images:  # only once
            return
        before = self.fit.image(), trainer_image(trainer)
        plans.plan, plans.calls = self.plan, dict.fromkeys(PLACES, 0)
        try:
            super().run(trainer, pl_module)
        except BaseException as error:
            self.error = error
        plans.plan = None
        self.images = [before, (self.fit.image(), trainer_image(trainer))]

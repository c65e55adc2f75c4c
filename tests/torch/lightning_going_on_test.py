"""Range tests in Lightning that go on: as one of a training step does, and leaving no trace."""

import itertools
from collections.abc import Iterator
from typing import Any

from tests.optional import needs

needs("torch")
needs("lightning")

import lightning.pytorch
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from lrsched_torch.lightning import range_test
from tests.torch.bowl import CASES, Bowl, check_goes_on, loader, sgd
from tests.torch.lightning_run import KINDS, ONCE, PLACES, Fit
from tests.torch.lightning_trainer import IGNORED, quiet_trainer, trainer_image
from tests.torch.training_run import Planned

pytestmark = IGNORED


class Net(lightning.pytorch.LightningModule):
    """The bowl, trained by Lightning or by itself."""

    def __init__(self, manual: bool = False) -> None:
        super().__init__()
        self.bowl = Bowl()
        self.automatic_optimization = not manual
        self.updates: list[float] = []
        self.note = self.updates.append

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = self.bowl(**batch)["loss"]
        if not self.automatic_optimization:
            optimizer: Any = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = sgd(self.bowl, [])
        optimizer.register_step_pre_hook(lambda made, *_: self.note(made.param_groups[0]["lr"]))
        return optimizer


def check(case: str, manual: bool = False, **options: Any) -> None:
    """Check a case with these options of a trainer; the list of updates is restored after it."""
    updates: list[float] = []
    net, trainer = Net(manual), quiet_trainer(**options)
    net.note = updates.append
    wanted: Any = {"accumulate": options.get("accumulate_grad_batches", 1)}
    wanted |= {"clipped": options.get("gradient_clip_val", 0.0)}
    weight = net.bowl.weight.tolist()

    def run(batches: Any, **given: Any) -> Any:
        return range_test(trainer, net, batches, **given)

    check_goes_on(case, run, updates, **wanted)
    assert net.bowl.weight.tolist() == weight


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_as_a_test_of_a_step(case: str) -> None:
    check(case)


@pytest.mark.parametrize("case", ["higher rates", "refined"])
@pytest.mark.parametrize(
    "options",
    [
        {"manual": True},
        {"accumulate_grad_batches": 2},
        {"accumulate_grad_batches": 3, "gradient_clip_val": 0.5},
    ],
)
def test_it_goes_on_in_every_way_to_train(case: str, options: dict[str, Any]) -> None:
    check(case, **options)


def test_only_the_ramp_is_logged_and_every_ramp_is_measured() -> None:
    logged: list[int] = []
    measured: list[int] = []
    options, _, _ = CASES["higher rates"]
    found = range_test(
        *(quiet_trainer(), Net(), loader(0.01)),
        log=lambda _, update: logged.append(update),
        metrics=lambda: {"calls": measured.append(0) or len(measured)},  # type: ignore[func-returns-value]
        progress=False,
        **options,
    )
    assert found.earlier is not None
    assert logged == list(range(60))
    assert len(found.earlier.metrics["calls"]) == 6
    assert len(measured) == 6 + len(found.metrics["calls"])


def test_it_goes_on_no_further_where_the_data_ends() -> None:
    """A training needs its 40 updates; the ramp has left fewer."""
    options = {**CASES["trainings"][0]}
    batches = loader(options.pop("noise"))
    whole = range_test(quiet_trainer(), Net(), batches, progress=False, **options)
    assert whole.probe is not None
    for left in (0, 20):

        def drawn(count: int = len(whole.losses) + left) -> Iterator[Any]:
            yield from itertools.islice(itertools.chain.from_iterable([batches] * 20), count)

        found = range_test(quiet_trainer(), Net(), drawn(), progress=False, **options)
        assert found.losses.tolist() == whole.losses.tolist()
        assert found.probe is None


# A ramp of 20 updates, and trainings of 5, of one or two batches each.
REFINED: dict[str, Any] = {"schedule": None, "steps": 20, "low": 1e-3, "high": 10.0}
REFINED |= {"refine": True, "probe_steps": 5, "max_steps": 60}


@settings(max_examples=8, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.sampled_from(KINDS),
    prior=st.booleans(),
    fate=st.sampled_from(["finished", Planned, KeyboardInterrupt]),
    place=st.sampled_from([each for each in PLACES if each not in (*ONCE, "metrics")]),
    at=st.integers(42, 55),
)
@example("accumulated", True, "finished", "", 0)
@example("manual", False, Planned, "optimizer", 25)
def test_nothing_is_left_of_trainings(
    kind: str, prior: bool, fate: Any, place: str, at: int
) -> None:
    """Also where something in the middle of one raises."""
    fit = Fit(kind, prior)
    before = fit.image(), trainer_image(fit.trainer)
    if isinstance(fate, type):
        with pytest.raises(fate, match="planned"):
            fit.test((fate, place, at), **REFINED)
    else:
        assert fit.test((fate, place, at), **REFINED).probe is not None
    assert fit.plans.calls["configure_optimizers"] > 1
    assert (fit.image(), trainer_image(fit.trainer)) == before

"""Range tests of a Trainer of transformers: what they record, and that they leave nothing."""

import functools
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.optional import is_installed, needs

needs("torch")
needs("transformers")

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch.utils.data import IterableDataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
)

import lrsched
import lrsched_torch
from lrsched_torch import range_test as range_test_of_step
from lrsched_torch.transformers import range_test
from tests.processes import outputs, start
from tests.torch.images import image
from tests.torch.training_run import Planned
from tests.torch.transformers_trainer import (
    FATES,
    PLACES,
    RAMP,
    STEPS,
    Data,
    Net,
    Plan,
    World,
    state_of,
    training_arguments,
)


@pytest.fixture(autouse=True)
def no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `train` collects garbage, which takes half a second where much is imported."""
    monkeypatch.setattr("accelerate.utils.memory.gc.collect", lambda: 0)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"gradient_accumulation_steps": 2, "prior": True},
    "optimizer": {"optimizer": "given", "max_grad_norm": 0.0},
    "scheduler": {"optimizer": "with a scheduler", "prior": True, "bf16": True},
    "eager": {"eval_on_start": True, "save_strategy": "steps", "eval_strategy": "steps"}
    | {
        "save_steps": 2,
        "eval_steps": 2,
        "load_best_model_at_end": True,
        "auto_find_batch_size": True,
    },
}


@functools.cache
def undisturbed(kind: str) -> Any:
    """What a training ends with that has no range test before it."""
    with tempfile.TemporaryDirectory() as folder:
        return World(Path(folder), **KINDS[kind]).train()


@settings(max_examples=30, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.sampled_from(sorted(KINDS)),
    fate=st.sampled_from(FATES),
    place=st.sampled_from(PLACES),
    at=st.integers(2, 6),
)
@example("scheduler", "finished", "loss", 2)
@example("eager", "diverged", "loss", 2)
@example("plain", KeyboardInterrupt, "loss", 3)
@example("accumulated", Planned, "optimizer", 3)
def test_training_goes_on_as_if_there_had_been_no_test(
    kind: str, fate: Any, place: str, at: int
) -> None:
    wanted = undisturbed(kind)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), **KINDS[kind])
        files, calls = sorted(Path(folder).rglob("*")), world.watcher.calls
        before = state_of(world.trainer)
        if isinstance(fate, type):
            with pytest.raises(fate, match="planned"):
                world.test(fate, place, at)
        else:
            found = world.test(fate, place, at)
            assert found.stopped == (fate if place == "loss" else "finished")
            assert len(found.metrics["one"]) == -(-len(found.losses) // 2)
        assert sum(world.plan.calls.values())
        assert state_of(world.trainer) == before
        assert world.watcher.calls == calls
        assert sorted(Path(folder).rglob("*")) == files
        assert world.train() == wanted


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = state_of(world.trainer)
    world.train()
    assert [a != b for a, b in zip(before, state_of(world.trainer), strict=True)] == [True, True]
    world = World(tmp_path)
    before, made = state_of(world.trainer), image(world.trainer, {})
    world.trainer.add_callback(TrainerCallback())
    assert state_of(world.trainer)[0] != before[0] == made


def tokens(count: int, length: int, labels: int | None = None) -> list[dict[str, torch.Tensor]]:
    """Random tokens, to be continued or classified; some are not counted in the loss."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for number in range(count):
        ids = torch.randint(16, (length,), generator=generator)
        known = torch.where(torch.arange(length) < 2 + number % 3, -100, ids)
        found.append({"input_ids": ids, "labels": known if labels is None else ids[0] % labels})
    return found


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=2))


def bert() -> BertForSequenceClassification:
    options: dict[str, Any] = {"num_labels": 3, "vocab_size": 16, "intermediate_size": 8}
    return BertForSequenceClassification(
        BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, **options)
    )


def summed_loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
    logits = outputs["logits"].float()
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum") / num_items_in_batch


CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "a module": (Net, lambda: Data(Plan()), {}),
    "bf16 and clipping": (Net, lambda: Data(Plan()), {"bf16": True, "max_grad_norm": 0.1}),
    "accumulated": (Net, lambda: Data(Plan()), {"gradient_accumulation_steps": 4}),
    "a loss function": (
        *(bert, lambda: tokens(10, 6, 3)),
        {"compute_loss_func": summed_loss, "gradient_accumulation_steps": 2},
    ),
    "GPT2": (gpt2, lambda: tokens(10, 6), {"gradient_accumulation_steps": 3}),
    "GPT2 with noise": (gpt2, lambda: tokens(10, 6), {"neftune_noise_alpha": 5.0}),
    "BERT, smoothed": (bert, lambda: tokens(10, 6, 3), {"label_smoothing_factor": 0.1}),
}


def trainer_of(case: str, folder: Path, **given: Any) -> Trainer:
    make, data, options = CASES[case]
    options = {**options}
    others = {name: options.pop(name) for name in ("compute_loss_func",) if name in options}
    torch.manual_seed(0)
    arguments = training_arguments(folder, max_steps=STEPS, **options)
    return Trainer(make(), arguments, train_dataset=data(), **others, **given)


@pytest.mark.parametrize("case", CASES)
def test_the_losses_are_those_that_the_trainer_logs(case: str, tmp_path: Path) -> None:
    """To the last bit, in a training with the same rates; also after the test.

    Older versions round what they log.
    """
    trainer = trainer_of(case, tmp_path)
    before = state_of(trainer)
    found = range_test(trainer, schedule=RAMP, steps=STEPS, divergence=None, progress=False)
    assert (found.stopped, found.label) == ("finished", "transformers")
    assert state_of(trainer) == before
    for number in range(2):
        each = trainer_of(case, tmp_path) if number else trainer
        optimizer = each.create_optimizer()
        each.lr_scheduler = lrsched_torch.lambda_lr(optimizer, RAMP, keep_ratios=False)
        each.train()
        logged = [entry for entry in each.state.log_history if "loss" in entry]
        losses, rates = found.losses, found.learning_rates
        logged_rates = [entry["learning_rate"] for entry in logged]
        if not is_installed("transformers>=5"):  # which logs the rate of the next update
            losses, rates, logged_rates = losses.round(4), rates[1:], logged_rates[:-1]
        assert [entry["loss"] for entry in logged] == losses.tolist()
        assert logged_rates == rates.tolist()


@pytest.mark.parametrize("clipped", [0.0, 0.05])
def test_the_losses_are_those_of_a_range_test_of_a_step(clipped: float, tmp_path: Path) -> None:
    batches: list[Any] = []

    class Kept(Trainer):
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
            batches.append(dict(inputs))
            return super().compute_loss(model, inputs, *rest, **options)

    nets = [Net(), Net()]
    nets[1].load_state_dict(nets[0].state_dict())
    for net in nets:
        net.dropout.p = 0.0
    first, second = (torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in nets)
    arguments = training_arguments(tmp_path, max_grad_norm=clipped)
    trainer = Kept(nets[0], arguments, train_dataset=Data(Plan()), optimizers=(first, None))
    options: dict[str, Any] = {"schedule": RAMP, "steps": STEPS, "progress": False}
    found = range_test(trainer, **options)

    def step(batch: Any) -> Any:
        loss = nets[1](**batch)["loss"]
        loss.backward()
        return loss

    def clip() -> None:
        if clipped:
            torch.nn.utils.clip_grad_norm_(nets[1].parameters(), clipped)

    wanted = range_test_of_step(step, second, batches, before_update=clip, **options)
    assert len({wanted.losses.tobytes(), found.losses.tobytes()}) == 1
    assert wanted.learning_rates.tolist() == found.learning_rates.tolist()


class Stream(IterableDataset[dict[str, torch.Tensor]]):
    """Examples without a length, as often as they are asked for, or once."""

    def __init__(self, batches: int, once: bool) -> None:
        self.left = [4.0 + number for number in range(batches)]
        self.once = once

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        left = self.left
        if self.once:
            self.left = []
        return ({"inputs": torch.tensor(each)} for each in left)


class Mean(torch.nn.Module):
    """Its loss is the mean of the batch, whatever its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": inputs.mean() + 0.0 * self.weight}


@pytest.mark.parametrize(
    ("batches", "once", "stopped", "losses"),
    [
        (4, False, "finished", [4.5, 6.5, 4.5, 6.5, 4.5]),
        # A batch is left at the end of an epoch: it is a part of the next update.
        (3, False, "finished", [4.5, 5.25, 5.25, 5.25, 5.25]),
        (6, True, "exhausted", [4.5, 6.5, 8.5]),
    ],
)
def test_data_without_a_length(
    batches: int, once: bool, stopped: str, losses: list[float], tmp_path: Path
) -> None:
    needs("transformers", "transformers>=5")  # older ones divide by another number
    arguments = training_arguments(
        tmp_path,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=2,
        accelerator_config={"dispatch_batches": False},
    )
    trainer = Trainer(Mean(), arguments, train_dataset=Stream(batches, once))
    found = range_test(trainer, steps=5, progress=False)
    assert found.stopped == stopped
    assert found.losses.tolist() == losses


def test_no_batch_at_all(tmp_path: Path) -> None:
    needs("transformers", "transformers>=5")  # older ones have an error of their own
    arguments = training_arguments(tmp_path, accelerator_config={"dispatch_batches": False})
    trainer = Trainer(Mean(), arguments, train_dataset=Stream(0, False))
    with pytest.raises(ValueError, match=r"trainer.train_dataset must be at least one batch, got"):
        range_test(trainer, progress=False)


def test_updates_that_a_scaler_skips_are_repeated(tmp_path: Path) -> None:
    world = World(tmp_path, "given")
    trainer: Any = world.trainer
    rates: list[float] = []
    world.trainer.optimizer.register_step_pre_hook(  # type: ignore[union-attr]
        lambda optimizer, *_: rates.append(optimizer.param_groups[1]["lr"])
    )
    scaler = trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    world.plan.overflows = range(4, 7)
    before = state_of(trainer), scaler.state_dict()
    found = world.test("finished", "", 0)
    assert found.stopped == "finished"
    assert found.learning_rates.tolist() == rates == [RAMP(count) for count in range(STEPS)]
    assert world.plan.calls["loss"] == STEPS + 3
    assert (state_of(trainer), scaler.state_dict()) == before
    world.plan.overflows = range(4, 99)
    found = world.test("finished", "", 0)
    assert (found.stopped, len(found.losses)) == ("nonfinite", 3)


def test_a_model_that_the_training_makes(tmp_path: Path) -> None:
    arguments = training_arguments(tmp_path)
    trainer = Trainer(model_init=gpt2, args=arguments, train_dataset=tokens(10, 6))
    model, before = trainer.model, state_of(trainer)
    assert len(range_test(trainer, steps=5, progress=False).losses) == 5
    assert trainer.model is model
    assert state_of(trainer) == before


def test_nothing_is_left_on_a_model_after_an_error(tmp_path: Path) -> None:
    """The trainer itself leaves a hook, whose noise comes on top of that of the next training."""
    trainer = trainer_of("GPT2 with noise", tmp_path)
    model: Any = trainer.model
    model.config.use_cache = True
    before = state_of(trainer)

    def broken(values: Any, update: int) -> None:
        assert model.get_input_embeddings()._forward_hooks
        raise Planned

    with pytest.raises(Planned):
        range_test(trainer, log=broken, progress=False)
    assert not model.get_input_embeddings()._forward_hooks
    assert model.config.use_cache
    assert state_of(trainer) == before


def test_a_training_is_resumed_after_a_test(tmp_path: Path) -> None:
    def resumed(tested: bool) -> Any:
        folder = tmp_path / str(tested)
        world = World(folder, save_strategy="steps", save_steps=2, max_steps=4)
        world.train()
        world.trainer.args.max_steps = 8
        if tested:
            world.test("finished", "", 0)
        world.trainer.train(resume_from_checkpoint=True)
        return image([world.trainer.model, world.trainer.state.log_history[4:8]])

    first, second = map(resumed, (True, False))
    assert first[1][0] == second[1][0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"trainer": Net}, TypeError, r"trainer must be a transformers.Trainer \(.*_model takes"),
        ({"schedule": 0.1}, TypeError, "schedule must be a schedule of plain numbers"),
        ({"schedule": [RAMP] * 3}, ValueError, "schedule must be a list of 2, one for each"),
        ({"schedule": lrsched.linear(1.0, -1.0, 9)}, ValueError, "schedule must be one of rates"),
        ({"steps": 0}, ValueError, r"steps must be an integer >= 1 \(updates\), got 0"),
        ({"max_steps": 9}, ValueError, r"max_steps must be at least steps \(200\), or None, got 9"),
        ({"refine": 1}, TypeError, "refine must be True or False, got 1"),
        ({"probe_steps": 0}, ValueError, "probe_steps must be an integer >= 1"),
        ({"probe_repeats": True}, TypeError, "probe_repeats must be an integer"),
        (
            {"schedule": [RAMP] * 2, "refine": True},
            ValueError,
            "refine must be False with a list of schedules, got True",
        ),
        (
            {"schedule": [RAMP] * 2, "max_steps": 300},
            ValueError,
            r"max_steps must be steps \(200\) with a list of schedules, or None, got 300",
        ),
        ({"low": 1.0, "high": 0.1}, ValueError, r"low must be below high \(0.1\), got 1"),
        ({"divergence": 1}, ValueError, "divergence must be a number > 1, or None, got 1"),
        ({"keep_ratios": 1}, TypeError, "keep_ratios must be True or False, got 1"),
        ({"reference_group": 2}, ValueError, "reference_group must be below 2, the number of"),
        ({"memory": "gpu"}, ValueError, "memory must be 'device' or 'cpu' or 'disk', got 'gpu'"),
        ({"metrics": 3}, TypeError, "metrics must be a function that returns numbers by name"),
        ({"every": 0}, ValueError, r"every must be an integer >= 1 \(updates\), got 0"),
        ({"log": 3}, TypeError, r"log must be a function log\(values, step\), or None, got 3"),
    ],
)
def test_a_refusal_comes_before_any_update(
    arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    world = World(tmp_path)
    before = state_of(world.trainer)
    given = {"trainer": world.trainer, "progress": False, **arguments}
    with pytest.raises(error, match=f"^range_test: {message}"):
        range_test(**given)
    assert world.plan.calls["loss"] == 0
    assert state_of(world.trainer) == before


def test_trainers_that_cannot_be_tested(tmp_path: Path) -> None:
    arguments = training_arguments(tmp_path)
    with pytest.raises(ValueError, match=r"trainer.train_dataset must be the training data, got"):
        range_test(Trainer(Net(), arguments))
    for name in ("is_deepspeed_enabled", "is_fsdp_enabled"):
        trainer = Trainer(Net(), arguments, train_dataset=Data(Plan()))
        setattr(trainer, name, True)
        with pytest.raises(ValueError, match="trainer must be one without DeepSpeed and FSDP"):
            range_test(trainer)


def test_a_trainer_with_a_loader_of_its_own(tmp_path: Path) -> None:
    class Loaded(Trainer):
        def get_train_dataloader(self) -> Any:
            return self.accelerator.prepare(torch.utils.data.DataLoader(Data(Plan()), 4))

    trainer = Loaded(Net(), training_arguments(tmp_path))
    assert len(range_test(trainer, steps=3, progress=False).losses) == 3


class Nested(TrainerCallback):
    """Tests the trainer while it trains."""

    def __init__(self) -> None:
        self.trainer: Any = None

    def on_step_end(self, *_: Any, **others: Any) -> None:
        range_test(self.trainer, progress=False)


def test_not_inside_a_training_but_after_one_that_failed(tmp_path: Path) -> None:
    trainer = trainer_of("a module", tmp_path, callbacks=[Nested()])
    trainer.callback_handler.callbacks[-2].trainer = trainer
    with pytest.raises(ValueError, match="range_test: trainer must be one that is not training"):
        trainer.train()
    assert trainer.is_in_train
    assert len(range_test(trainer, steps=3, progress=False).losses) == 3
    assert trainer.is_in_train


class SetsRates(Trainer):
    """Makes a scheduler in any case, and sets a rate in the third step."""

    def create_scheduler(self, *_: Any, **others: Any) -> Any:
        optimizer: Any = self.optimizer
        self.lr_scheduler = lrsched_torch.lambda_lr(optimizer, RAMP)
        return self.lr_scheduler

    def training_step(self, *args: Any, **options: Any) -> Any:
        optimizer: Any = self.optimizer
        if self.state.global_step == 3:
            optimizer.param_groups[1]["lr"] = 0.5
        return super().training_step(*args, **options)


def test_rates_that_something_else_sets_are_refused(tmp_path: Path) -> None:
    trainer = SetsRates(Net(), training_arguments(tmp_path), train_dataset=Data(Plan()))
    before = state_of(trainer)
    assert len(range_test(trainer, steps=3, progress=False).losses) == 3
    with pytest.raises(ValueError, match="the learning rates must be left to the test"):
        range_test(trainer, steps=4, progress=False)
    assert state_of(trainer) == before


def test_groups_keep_their_ratios(tmp_path: Path) -> None:
    world = World(tmp_path, "given")
    optimizer: Any = world.trainer.optimizer
    rates: list[Any] = []
    optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append([group["lr"] for group in optimizer.param_groups])
    )
    world.test("finished", "", 0)
    assert rates == [[RAMP(count) * (0.02 / 0.05), RAMP(count)] for count in range(STEPS)]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes of one training found, each in its own file."""
    out = tmp_path_factory.mktemp("ranks")
    options: dict[str, Any] = {"warnings": "default", "MASTER_ADDR": "localhost"}
    outputs(*(start("transformers_ranks.py", out, rank, **options) for rank in range(2)))
    return [torch.load(out / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize(
    ("fate", "updates"), [("finished", STEPS), ("diverged", 19), ("nonfinite", 3)]
)
def test_two_processes_stop_together(
    two_processes: list[dict[str, Any]], fate: str, updates: int
) -> None:
    """Also where only the losses of the second one are high, or NaN."""
    first, second = (each[fate] for each in two_processes)
    for each in (first, second):
        assert each["restored"]
        assert each["goes on"]
        assert each["stopped"] == fate
        assert len(each["losses"]) == updates
    assert first["losses"] == second["losses"]
    assert first["own"] != second["own"]
    sizes = ([2, 1] * updates)[:updates]  # three batches are an epoch of each process
    means = iter([sum(each) / 2 for each in zip(first["own"], second["own"], strict=True)])
    wanted = [sum(itertools.islice(means, size)) / size for size in sizes]
    assert first["losses"] == pytest.approx(wanted, rel=1e-6)


def test_two_processes_go_on_together(two_processes: list[dict[str, Any]]) -> None:
    first, second = (each["refined"] for each in two_processes)
    assert first == second
    assert first["restored"]
    assert len(first["trainings"]) > 3 * 5

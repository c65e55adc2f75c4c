"""Train a transformer with the Trainer of transformers, at the rate that a range test suggests.

A small Llama is made from a config, and trained on the source code of Python, character by
character. The range test runs inside the Trainer and restores it; its schedule is then compared
with the Trainer's default, a linear decay from 5e-5:
`python examples/transformers_trainer.py` writes `demo/transformers_trainer.png`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from data import source_code
from matplotlib import pyplot
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

import lrsched_torch
import lrsched_torch.transformers

CONTEXT = 32


def dataset(characters: int) -> list[dict[str, torch.Tensor]]:
    """Parts of the text; the model shifts the labels itself."""
    parts = torch.split(torch.from_numpy(source_code(characters)), CONTEXT)
    return [{"input_ids": part, "labels": part} for part in parts if len(part) == CONTEXT]


def make_trainer(arguments: TrainingArguments) -> Trainer:
    """A trainer of a new model; the optimizer and schedule are the Trainer's defaults."""
    set_seed(0)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
    )
    trainer = Trainer(LlamaForCausalLM(config), arguments, train_dataset=dataset(400_000))
    trainer.remove_callback(PrinterCallback)
    return trainer


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A range test and training in a Trainer.")
    parser.add_argument("--steps", type=int, default=400, help="updates (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("demo/transformers_trainer.png"))
    options = parser.parse_args(arguments)

    folder = tempfile.TemporaryDirectory()
    training_arguments = TrainingArguments(
        folder.name,
        max_steps=options.steps,
        per_device_train_batch_size=16,
        logging_steps=max(1, options.steps // 40),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    default = make_trainer(training_arguments)
    default.train()

    trainer = make_trainer(training_arguments)
    test = lrsched_torch.transformers.range_test(
        trainer, steps=min(200, options.steps), progress=False
    )
    schedule = test.warmup_cosine(options.steps)
    print(f"range test: {test.summary}")
    print(f"schedule: {schedule!r}")
    trainer.lr_scheduler = lrsched_torch.lambda_lr(trainer.create_optimizer(), schedule)
    trainer.train()
    folder.cleanup()

    names = {"the Trainer's default": default, "suggested": trainer}
    figure, axes = pyplot.subplot_mosaic("AA;BC", figsize=(8, 5.6), layout="constrained")
    test.plot(ax=axes["A"], total_steps=options.steps, shape="warmup_cosine")
    for name, each in names.items():
        rows = [row for row in each.state.log_history if "loss" in row]
        print(f"{name}: loss {rows[0]['loss']:.3f} to {rows[-1]['loss']:.3f}")
        for part, key in {"B": "learning_rate", "C": "loss"}.items():
            axes[part].plot([row["step"] for row in rows], [row[key] for row in rows], label=name)
    axes["A"].legend(frameon=False, fontsize="small")
    axes["A"].set_title("Range test in a Trainer, and the training after it")
    axes["B"].set(xlabel="update", ylabel="learning rate", yscale="log")
    axes["C"].set(xlabel="update", ylabel="loss")
    axes["C"].legend(frameon=False)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=80)


if __name__ == "__main__":
    main()

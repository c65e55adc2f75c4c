"""`from_config`: the schedule or controller of a configuration, ours or another library's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from lrsched._core.checks import Refusal
from lrsched._core.durations import UNITS
from lrsched._core.schedule import Schedule
from lrsched._core.synonyms import did_you_mean
from lrsched.configs import own
from lrsched.configs.entries import as_mapping, entries_or_reasons, plain, require_available
from lrsched.configs.section import CONTEXT, Format, Section
from lrsched.formats.names import of_kind
from lrsched.formats.parse import RECIPE, read

T = TypeVar("T")
FILES = (".json", ".toml", ".yaml", ".yml")
_refuse = Refusal("from_config")


@overload
def from_config(
    config: Any,
    prefix: str = "",
    format: str | None = None,
    *,
    kind: None = None,
    part: str = "lr",
    learning_rate: float | None = None,
    total_steps: int | None = None,
    warmup_steps: int | None = None,
    steps_per_epoch: float | None = None,
    batch_size: float | Schedule | None = None,
    tokens_per_step: float | Schedule | None = None,
) -> Schedule | Any: ...
@overload
def from_config(
    config: Any,
    prefix: str = "",
    format: str | None = None,
    *,
    kind: type[T],
    part: str = "lr",
    learning_rate: float | None = None,
    total_steps: int | None = None,
    warmup_steps: int | None = None,
    steps_per_epoch: float | None = None,
    batch_size: float | Schedule | None = None,
    tokens_per_step: float | Schedule | None = None,
) -> T: ...
def from_config(
    config: Any,
    prefix: str = "",
    format: str | None = None,
    *,
    kind: type[Any] | None = None,
    part: str = "lr",
    learning_rate: float | None = None,
    total_steps: int | None = None,
    warmup_steps: int | None = None,
    steps_per_epoch: float | None = None,
    batch_size: float | Schedule | None = None,
    tokens_per_step: float | Schedule | None = None,
) -> Any:
    """The schedule that a configuration describes, checked like one made in code.

    It reads our own form and those of other libraries. Nothing in a configuration is evaluated,
    imported or opened.

    **Our own form.** A mapping has the name of a schedule under `name` (or under `_target_`,
    Hydra's key) and its parameters beside it. Mappings inside it are schedules too. The name of a
    controller, such as `reduce_on_plateau`, gives a controller.

    The name is that of a schedule, of a recipe such as `warmup_stable_decay`, or one of those of
    transformers that `from_name` takes, with its own parameters. If several have the name, as with
    "constant", "inverse_sqrt", "linear", "piecewise_constant", "polynomial" and
    "warmup_stable_decay", the first of these three takes it.

    Texts and numbers are converted:

    - where a parameter takes a number, text that is a number becomes one (YAML 1.1 reads `1e-4` as
      text, argparse reads everything as text);
    - where it takes an integer, a float with a whole value becomes one (YAML's `1.0e5`);
    - where it takes a number or a schedule, text may also be what `repr` prints: a recipe, a
      duration, a list. It is parsed as in `from_repr`; nothing is evaluated or imported;
    - other text stays as it is.

    None counts as not given if there is no such parameter, or if the parameter does not accept
    None. argparse gives None for options that are left out.

    **Other libraries.** `format` is one of the names below; without it, the keys tell the format.
    Of a whole configuration only the keys that the learning rate depends on are read.

        format          configuration                                     parts

        "axolotl"       its YAML
        "composer"      Composer's or llm-foundry's `scheduler`, with
                        `optimizer` and `max_duration`
        "deepspeed"     `scheduler`, with `optimizer` for WarmupCosineLR  "momentum" (OneCycle)
        "detectron2"    `SOLVER`, or its keys with dots
        "espnet"        `scheduler`, `scheduler_conf` and `optim_conf`
        "fairseq"       the arguments, or the Hydra YAML
        "gpt_neox"      the YAML, with `optimizer`
        "icefall"       `base_lr`, `lr_batches` and `lr_epochs`
        "megatron"      the arguments                                     "decoupled_lr",
                                                                          "weight_decay"
        "mmcv"          `lr_config`, with `optimizer` and `runner`
        "mmengine"      `param_scheduler`, with `optim_wrapper`           "momentum"
        "nanotron"      `optimizer.learning_rate_scheduler`, `tokens`
        "nemo"          `sched`, with `optim` and `trainer`
        "olmo"          the YAML, or its `scheduler`
        "olmo_core"     the saved JSON, or a scheduler of it
        "rl_zoo"        rl-baselines3-zoo's YAML of one environment       "clip_range",
                                                                          "clip_range_vf"
        "timm"          the arguments of its train.py
        "torch"         a class of torch by `_target_`, `class_path` or   "momentum" (CyclicLR,
                        `_component_`, with `optimizer`                   OneCycleLR)
        "torchtitan"    `lr_scheduler`, `optimizer`, `training`
        "transformers"  `TrainingArguments`, YAML of LLaMA-Factory, TRL
        "ultralytics"   the arguments of a run, as in `args.yaml`         "bias_lr", "momentum"

    What a configuration leaves out is given by the keywords `learning_rate` to `tokens_per_step`;
    an error names those that are needed. Where both say something they must agree. Durations in
    epochs, examples, tokens or fractions of the run stay as such if the call does not say how long
    they are: `Schedule.resolve` takes the same keywords.

    The schedule gives the learning rate of each optimizer update, counted from 0, as the library's
    own trainer applies it. Where groups of parameters have factors of their own, it is that of a
    group without one.

    A scheduler that follows a metric, such as torch's `ReduceLROnPlateau`, gives a controller, or
    with a warmup a schedule with a controller in it. It must observe each metric that the library
    shows its scheduler, most often one after each validation.

    Args:
        config: a mapping (a dict, OmegaConf's DictConfig with its interpolations), the result of
            argparse (an `argparse.Namespace`, or a `types.SimpleNamespace`; use `vars` for other
            objects), the data of `Schedule.to_dict`, or a recipe as text.
        prefix: only the keys of `config` that begin with it are read, without it.
        format: the name of a format, "lrsched" for our own; by default recognised by its keys.
        kind: what the result must be, `Schedule`, `Controller` or a type of controllers such as
            `Plateau`; by default what `config` says.
        part: what the schedule is of: "lr", or another name that the format has, such as
            "momentum".
        learning_rate: the optimizer's learning rate.
        total_steps: the updates of the whole run.
        warmup_steps: the updates of the warmup.
        steps_per_epoch: the updates of an epoch.
        batch_size: the examples in an update, or a schedule of their number.
        tokens_per_step: the tokens in an update, or a schedule of their number.

    Raises:
        TypeError: `config` or `prefix` is of the wrong type, the result is not of `kind`, a
            parameter is unknown or missing, or a value is of the wrong type.
        ValueError: there is no schedule of that name, no format has these keys or several have, the
            configuration leaves out what the call does not give, or a value is refused. The message
            has the path to the schedule or the key: `schedules[1].init_value`.

    Elsewhere: `hydra.utils.instantiate` calls the factories as they are
    (`_target_: lrsched.cosine_decay`). It converts no text to numbers and no string to a recipe.

    >>> import lrsched
    >>> decay = {"name": "cosine_decay", "init_value": "1e-3", "decay_steps": 9e4}
    >>> recipe = lrsched.from_config({"name": "warmup", "schedule": decay, "warmup_steps": 1000})
    >>> recipe  # doctest: +NORMALIZE_WHITESPACE
    warmup(schedule=cosine_decay(init_value=0.001, decay_steps=90000), warmup_steps=1000)

    The options of a command line, with a prefix of their own:

    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> for option in ("--lr-name", "--lr-init-value", "--lr-decay-steps", "--lr-end-value"):
    ...     _ = parser.add_argument(option)
    >>> words = "--lr-name cosine_decay --lr-init-value 0.1 --lr-decay-steps run_fraction(0.9)"
    >>> lrsched.from_config(parser.parse_args(words.split()), prefix="lr_")
    cosine_decay(init_value=0.1, decay_steps=run_fraction(0.9))

    A configuration of another library:

    >>> section = {"type": "LRRangeTest", "params": {"lr_range_test_step_rate": 5}}
    >>> lrsched.from_config({"scheduler": section}, total_steps=2000)
    linear(init_value=0.001, end_value=0.006, steps=2000)
    """
    if not isinstance(prefix, str):
        _refuse("prefix", "a string", prefix, TypeError)
    if format is not None:
        _check_format(format)
    given = {
        "learning_rate": learning_rate,
        "total_steps": total_steps,
        "warmup_steps": warmup_steps,
        "steps_per_epoch": steps_per_epoch,
        "batch_size": batch_size,
        "tokens_per_step": tokens_per_step,
    }
    context = {
        name: value if isinstance(value, Schedule) else _refuse.check(name, CONTEXT[name], value)
        for name, value in given.items()
        if value is not None
    }
    try:
        recipe = _read(config, prefix, format, part, context)
    except RecursionError:
        raise ValueError("from_config: the config must not be nested this deeply") from None
    return of_kind("from_config", recipe, kind)


def _formats() -> Mapping[str, Format]:
    """The formats of other libraries, which take a tenth of the import of lrsched."""
    from lrsched.configs.formats import FORMATS

    return FORMATS


def _check_format(name: Any) -> None:
    known = (*sorted(_formats()), "lrsched")
    if name not in known:
        error = ValueError if isinstance(name, str) else TypeError
        expected = f"one of {', '.join(map(repr, known))}"
        hint = did_you_mean(name, known) if isinstance(name, str) else ""
        _refuse(f"{hint}format", expected, name, error)


def _read(
    config: Any, prefix: str, format: str | None, part: str, context: Mapping[str, Any]
) -> Any:
    if isinstance(config, str):
        if prefix:
            _refuse("prefix", "left out where the config is a recipe as text", prefix)
        if config.endswith(FILES):
            expected = "what the file holds (the command `lrsched convert` reads files)"
            _refuse("the config", expected, config)
        return _resolved(read("from_config", config, RECIPE), context)
    config = as_mapping(config)
    if not isinstance(config, Mapping):
        expected = "a mapping, an argparse.Namespace, a dataclass or a recipe as text"
        _refuse("the config", expected, config, TypeError)
    entries = entries_or_reasons(config, "", prefix)
    mappings = {key: plain(value) for key, value in entries.items()}
    found = _format_of(mappings, format)
    if found is None:
        if part != "lr":
            _refuse("part", "'lr'", part)
        require_available(entries)
        titles = sorted((each.title for each in _formats().values()), key=str.lower)
        others = f", or be a configuration of {', '.join(titles)}"
        recipe = own.read_recipe(entries, "", prefix, others if format is None else "")
        return _named("from_config", lambda: _resolved(recipe, context))
    if part not in ("lr", *found.parts):
        expected = " or ".join(map(repr, ("lr", *found.parts)))
        Refusal(f"from_config: {found.title}")("part", expected, part)
    section = Section(mappings, found.title, context, part, prefix)
    name = f"from_config: {found.title}"
    return _named(name, lambda: _resolved(found.read(section), context))


def _resolved(recipe: Any, context: Mapping[str, Any]) -> Any:
    """A schedule with its durations in steps, as far as the context tells them; else the recipe."""
    if not isinstance(recipe, Schedule):
        return recipe
    sizes = {UNITS[unit].argument for unit in recipe.open_units()}
    return recipe.resolve(**{name: context[name] for name in sizes if name in context})


def _format_of(entries: Mapping[str, Any], name: str | None) -> Format | None:
    """The format with this name, or the one that has these keys; None for our own."""
    if name is not None:
        return _formats().get(name)
    if own.is_own(entries):
        return None
    found = [each for each in _formats().values() if each.recognises(entries)]
    if len(found) > 1:
        names = " or ".join(f"format={each.name!r}" for each in found)
        raise ValueError(f"from_config: give {names}: the keys fit each of them")
    return found[0] if found else None


def _named(name: str, make: Callable[[], T]) -> T:
    """What `make` returns; what our own schedules refuse is refused in this name."""
    try:
        return make()
    except (TypeError, ValueError) as refused:
        if str(refused).startswith("from_config: "):
            raise
        error, reason = TypeError if isinstance(refused, TypeError) else ValueError, str(refused)
    raise error(f"{name}: {reason}")

"""The learning rate, and other hyperparameters, that the next update by an optax state uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, overload

import jax
import jax.numpy as jnp
from jax.tree_util import DictKey, keystr, tree_leaves_with_path

from lrsched._core import Refusal, is_traced

Function = Callable[[Any], Any]
Node = tuple[tuple[Any, ...], Any]

# The states of optax whose `count` is what a schedule of the learning rate is called with. By name,
# as `optax.tree.get` finds them: not all are public, nor in every version.
COUNTING = {
    "ScaleByScheduleState",
    "WrappedScheduleState",
    "DAdaptAdamWState",
    "MadgradState",
    "MomoAdamState",
    "MomoState",
    "ProdigyState",
}
INJECTED = {"InjectStatefulHyperparamsState"}
FUNCTION = "a schedule: a function of the count"


@overload
def current_lr(opt_state: Any, schedule: Function) -> jax.Array: ...
@overload
def current_lr(opt_state: Any, schedule: Mapping[Any, Function]) -> dict[Any, jax.Array]: ...
def current_lr(opt_state: Any, schedule: Any) -> Any:
    """The learning rate that the next update uses: the schedule at the count in the state.

    The count is that of optax's learning-rate schedules, wherever the state has it: inside chains,
    masks, partitions, accumulation, injected hyperparameters and any other wrapper. While
    `optax.MultiSteps` accumulates, the next update is the one that it accumulates for. What else
    counts, such as Adam's bias correction, is not looked at.

    Args:
        opt_state: the state of an optax optimizer, or what holds one: a Flax NNX
            `Optimizer`, a Linen `TrainState`, any pytree. It may be traced.
        schedule: the schedule that the optimizer was made with, of lrsched, optax or your own. Or a
            mapping from labels to schedules, for optimizers with several: a label is a key on the
            way to the count, so a label of `optax.partition`, a name of `optax.named_chain` or that
            of an injected hyperparameter.

    Returns:
        The rate, or a mapping from the labels to theirs. Where several counts are traced, which
        cannot be refused, the rate is NaN if they differ.

    Raises:
        ValueError: the state has no count of a schedule, or several that differ; the message says
            where. Then a part of the state, or a mapping, says which is meant.
        TypeError: `schedule` is no function.

    Elsewhere: `optax.tree.get(state, "count")`, where the state has just one count;
    `optimizer.param_groups[0]["lr"]` in torch. optax stores no rate, and what its
    `inject_hyperparams` stores is that of the last update.

    >>> import lrsched, optax
    >>> schedule = lrsched.linear(0.5, 0.0, steps=4)
    >>> optimizer = optax.chain(optax.clip(1.0), optax.adam(schedule))
    >>> state = optimizer.init(jnp.zeros(2))
    >>> _, state = optimizer.update(jnp.ones(2), state)
    >>> current_lr(state, schedule)
    Array(0.375, dtype=float32)
    >>> optimizer = optax.multi_transform(
    ...     {"body": optax.sgd(schedule), "head": optax.sgd(2 * schedule)}, ("body", "head")
    ... )
    >>> state = optimizer.init((jnp.zeros(2), jnp.zeros(2)))
    >>> current_lr(state, {"body": schedule, "head": 2 * schedule})
    {'body': Array(0.5, dtype=float32), 'head': Array(1., dtype=float32)}
    """
    nodes = list(_nodes(opt_state, COUNTING))
    if not isinstance(schedule, Mapping):
        return _rate(opt_state, nodes, schedule, "schedule", "")
    return {
        label: _rate(
            opt_state, _below(nodes, label), each, f"schedule[{label!r}]", f" at {label!r}"
        )
        for label, each in schedule.items()
    }


def current_hyperparameters(opt_state: Any, **schedules: Function) -> dict[str, Any]:
    """Every hyperparameter of `optax.inject_hyperparams` that the next update uses, by name.

    What such a state stores is right for hyperparameters that are no schedules, changed by hand or
    not. For schedules it stores the value that the last update used; here they are evaluated at the
    count that the state has of each.

    Args:
        opt_state: an optax state, or what holds one, as for `current_lr`. It may be traced.
        schedules: the schedules among the hyperparameters, under the names of the result; for a
            `StatefulSchedule`, which is called with its state, that.

    Returns:
        The values as the update will use them, by name. A name that several injections in the state
        have comes after the path to each, `"1/learning_rate"`, as
        `jax.tree_util.keystr(path, simple=True, separator="/")` writes it.

    Raises:
        ValueError: the state has no injected hyperparameters, or other ones of them are schedules
            than those given.
        TypeError: a schedule is no function.

    >>> import lrsched, optax
    >>> schedule = lrsched.linear(0.5, 0.0, steps=4)
    >>> optimizer = optax.inject_hyperparams(optax.sgd)(schedule, momentum=0.5)
    >>> state = optimizer.init(jnp.zeros(2))
    >>> _, state = optimizer.update(jnp.ones(2), state, jnp.zeros(2))
    >>> state.hyperparams["learning_rate"]
    Array(0.5, dtype=float32)
    >>> for name, value in current_hyperparameters(state, learning_rate=schedule).items():
    ...     print(name, value)
    momentum 0.5
    learning_rate 0.375
    """
    refuse = Refusal("current_hyperparameters")
    nodes = list(_nodes(opt_state, INJECTED))
    if not nodes:
        refuse("opt_state", "a state of optax.inject_hyperparams", opt_state)
    found: dict[str, Any] = {}
    states: dict[str, Any] = {}
    shared = Counter(name for _, node in nodes for name in node.hyperparams)
    for path, node in nodes:
        place = f"{keystr(path, simple=True, separator='/')}/" if path else ""
        for name, stored in node.hyperparams.items():
            key = name if shared[name] == 1 else f"{place}{name}"
            found[key] = _bare(stored)
            if name in node.hyperparams_states:
                states[key] = node.hyperparams_states[name]
    if schedules.keys() != states.keys():
        refuse("schedules", f"those of {sorted(states)}, each by that name", sorted(schedules))
    for key, state in states.items():
        if not callable(schedules[key]):
            refuse(key, FUNCTION, schedules[key], TypeError)
        counting = type(state).__name__ in COUNTING
        rate = schedules[key](jnp.asarray(_bare(state.count)) if counting else state)
        found[key] = jnp.asarray(rate, jnp.result_type(found[key]))
    return found


def _nodes(tree: Any, names: set[str], path: tuple[Any, ...] = ()) -> Iterator[Node]:
    """The nodes whose type has one of these names, with their paths; those inside others too."""
    if type(tree).__name__ in names:
        yield path, tree

    def inner(node: Any) -> bool:
        return node is not tree and type(node).__name__ in names

    for place, node in tree_leaves_with_path(tree, is_leaf=inner):
        if inner(node):
            yield from _nodes(node, names, (*path, *place))


def _below(nodes: list[Node], label: Hashable) -> list[Node]:
    return [(path, node) for path, node in nodes if DictKey(label) in path]


def _rate(opt_state: Any, nodes: list[Node], schedule: Function, name: str, where: str) -> Any:
    """The schedule at the one count of these nodes."""
    refuse = Refusal("current_lr")
    if not callable(schedule):
        refuse(name, FUNCTION, schedule, TypeError)
    counts = {f"{keystr(path)}.count": jnp.asarray(_bare(node.count)) for path, node in nodes}
    if not counts:
        paths = (keystr(path) for path, _ in tree_leaves_with_path(opt_state))
        known = ", ".join(path for path in paths if "count" in path) or "nothing"
        wanted = f"a state that counts for a learning-rate schedule{where} (what counts is {known})"
        refuse("opt_state", wanted, opt_state)
    first, *others = counts.values()
    rate = jnp.asarray(schedule(first))
    if any(map(is_traced, counts.values())):
        for other in others:
            rate = jnp.where(first == other, rate, jnp.nan)
    elif any(jnp.any(first != other) for other in others):
        shown = ", ".join(f"{path} = {count}" for path, count in counts.items())
        wanted = f"a state whose schedules are at one count{where} (they are at {shown})"
        refuse("opt_state", wanted, opt_state)
    return rate


def _bare(value: Any) -> Any:
    """An array, also where Flax NNX keeps it in a variable."""
    (leaf,) = jax.tree.leaves(value)
    return leaf

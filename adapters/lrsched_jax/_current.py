"""The learning rate and other hyperparameters that the next update of an optax state uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, overload

import jax
import jax.numpy as jnp
from jax.tree_util import DictKey, GetAttrKey, keystr, tree_leaves_with_path

from lrsched._core import Refusal, is_traced
from lrsched_jax._partition import is_instance
from lrsched_jax._types import OptState, ScheduleFunction

Node = tuple[tuple[Any, ...], Any]  # a path in the state, and the node there

# The states of optax whose `count` is the argument of a learning-rate schedule. They are found by
# the names of their types, as by `optax.tree.get`: not all are public or in every version.
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
def current_lr(opt_state: OptState, schedule: ScheduleFunction) -> jax.Array: ...
@overload
def current_lr(
    opt_state: OptState, schedule: Mapping[Any, ScheduleFunction]
) -> dict[Any, jax.Array]: ...
def current_lr(
    opt_state: OptState, schedule: ScheduleFunction | Mapping[Any, ScheduleFunction]
) -> jax.Array | dict[Any, jax.Array]:
    """The learning rate of the next update: the schedule at the count in the optimizer state.

    The count is that of optax's learning-rate schedules. It is found anywhere in the state: inside
    chains, masks, partitions, gradient accumulation, injected hyperparameters and any other
    wrapper. While `optax.MultiSteps` accumulates gradients, the next update is the one for which it
    accumulates. Other counts, such as that of Adam's bias correction, are ignored.

    Args:
        opt_state: the state of an optax optimizer, or an object that contains one: a Flax NNX
            `Optimizer`, a Linen `TrainState`, any pytree. It may be traced.
        schedule: the schedule that the optimizer was made with, of lrsched, optax or your own; or,
            for an optimizer with several schedules, a mapping from labels to them. A label is a key
            in the path to the count: a label of `optax.partition`, a name of `optax.named_chain`,
            or the name of an injected hyperparameter.

    Returns:
        The learning rate, or a mapping from the labels to theirs. If several counts are traced,
        the rate is NaN where they differ, as traced counts cannot be refused.

    Raises:
        ValueError: the state has no count of a schedule, or several that differ; the message says
            where they are. Pass the part of the state that you mean, or a mapping.
        TypeError: schedule is not a function.

    Elsewhere: `optax.tree.get(state, "count")`, if the state has only one count;
    `optimizer.param_groups[0]["lr"]` in torch. optax stores no learning rate, except that
    `inject_hyperparams` stores the one of the last update.

    >>> import lrsched, optax
    >>> schedule = lrsched.linear(0.5, 0.0, steps=4)
    >>> optimizer = optax.chain(optax.clip(1.0), optax.adam(schedule))
    >>> state = optimizer.init(jnp.zeros(2))
    >>> _, state = optimizer.update(jnp.ones(2), state)
    >>> print(current_lr(state, schedule))
    0.375
    >>> optimizer = optax.multi_transform(
    ...     {"body": optax.sgd(schedule), "head": optax.sgd(2 * schedule)}, ("body", "head")
    ... )
    >>> state = optimizer.init((jnp.zeros(2), jnp.zeros(2)))
    >>> rates = current_lr(state, {"body": schedule, "head": 2 * schedule})
    >>> print(rates["body"], rates["head"])
    0.5 1.0
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


def current_hyperparameters(opt_state: OptState, **schedules: ScheduleFunction) -> dict[str, Any]:
    """The hyperparameters of `optax.inject_hyperparams` that the next update uses, by name.

    For hyperparameters without a schedule the values stored in the state are right, also after they
    were changed by hand. For schedules the state stores the value that the last update used; here
    they are evaluated at their counts in the state.

    Args:
        opt_state: the state of an optax optimizer, or an object that contains one, as for
            `current_lr`. It may be traced.
        schedules: the schedules among the hyperparameters, by their names in the result. A
            `StatefulSchedule` is passed as it is, and called with its state.

    Returns:
        The values that the next update uses, by name. If several injections in the state have the
        same name, it is preceded by the path of each, as in `"1/learning_rate"`, in the form of
        `jax.tree_util.keystr(path, simple=True, separator="/")`.

    Raises:
        ValueError: the state has no injected hyperparameters, or the names of schedules are not
            those of its scheduled hyperparameters.
        TypeError: a schedule is not a function.

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
    values: dict[str, Any] = {}
    states: dict[str, Any] = {}
    shared = Counter(name for _, node in nodes for name in node.hyperparams)
    for path, node in nodes:
        prefix = "".join(f"{_name(key)}/" for key in path)
        for name, stored in node.hyperparams.items():
            key = name if shared[name] == 1 else f"{prefix}{name}"
            values[key] = _array_in(stored)
            if name in node.hyperparams_states:
                states[key] = node.hyperparams_states[name]
    if schedules.keys() != states.keys():
        refuse("schedules", f"those of {sorted(states)}, each by that name", sorted(schedules))
    for key, state in states.items():
        if not callable(schedules[key]):
            refuse(key, FUNCTION, schedules[key], TypeError)
        counting = type(state).__name__ in COUNTING
        value = schedules[key](jnp.asarray(_array_in(state.count)) if counting else state)
        values[key] = jnp.asarray(value, jnp.result_type(values[key]))
    return values


def _nodes(tree: Any, names: set[str], path: tuple[Any, ...] = ()) -> Iterator[Node]:
    """The nodes whose type has one of these names, with their paths, nested ones included."""
    if type(tree).__name__ in names:
        yield path, tree

    def is_nested(node: Any) -> bool:
        return node is not tree and type(node).__name__ in names

    for below, node in tree_leaves_with_path(tree, is_leaf=is_nested):
        if is_nested(node):
            yield from _nodes(node, names, (*path, *below))
        elif is_instance(node, "flax.nnx", "Optimizer"):  # no pytree before Flax 0.11
            yield from _nodes(node.opt_state, names, (*path, *below, GetAttrKey("opt_state")))


def _name(key: Any) -> str:
    """The key of a path in the form of `keystr(path, simple=True)`, which is new in JAX 0.5.1."""
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _below(nodes: list[Node], label: Hashable) -> list[Node]:
    """The nodes whose path contains the label."""
    return [(path, node) for path, node in nodes if DictKey(label) in path]


def _rate(
    opt_state: OptState, nodes: list[Node], schedule: ScheduleFunction, name: str, where: str
) -> jax.Array:
    """The schedule at the count of these nodes, which must all have the same."""
    refuse = Refusal("current_lr")
    if not callable(schedule):
        refuse(name, FUNCTION, schedule, TypeError)
    counts = {f"{keystr(path)}.count": jnp.asarray(_array_in(node.count)) for path, node in nodes}
    if not counts:
        paths = (keystr(path) for path, _ in tree_leaves_with_path(opt_state))
        known = ", ".join(path for path in paths if "count" in path) or "nothing"
        expected = (
            f"a state that counts for a learning-rate schedule{where} (what counts is {known})"
        )
        refuse("opt_state", expected, opt_state)
    first, *others = counts.values()
    rate = jnp.asarray(schedule(first))
    if any(map(is_traced, counts.values())):
        for other in others:
            rate = jnp.where(first == other, rate, jnp.nan)
    elif any(jnp.any(first != other) for other in others):
        shown = ", ".join(f"{path} = {count}" for path, count in counts.items())
        expected = f"a state whose schedules are at one count{where} (they are at {shown})"
        refuse("opt_state", expected, opt_state)
    return rate


def _array_in(value: Any) -> Any:
    """The array itself, or the one in a variable of Flax NNX."""
    (leaf,) = jax.tree.leaves(value)
    return leaf.value if is_instance(leaf, "flax.nnx", "Variable") else leaf

"""Compiled training: one update, and a loop of updates on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from lrsched import constant
from lrsched._core import Refusal
from lrsched.range_test.recorder import is_high
from lrsched_jax._model import Loss

Optimizer = Callable[[Any], optax.GradientTransformation]


class Carry(NamedTuple):
    """What an update changes."""

    params: Any
    optimizer_state: Any
    model_state: Any
    count: Any


class Outline(NamedTuple):
    """One update as a program, the types that it leaves, and the names of what is recorded."""

    program: Any
    after: Carry
    names: list[str]


class Training:
    """The updates of one loss function by one optimizer, compiled when they are first called.

    The optimizer is made anew in each update, of a constant schedule of that update's rate. The
    rate is an argument of the compiled update, so that it serves every schedule; and the rate that
    is recorded cannot be another than the one that is used, however the optimizer counts.
    """

    def __init__(self, loss: Loss, optimizer: Optimizer) -> None:
        self.loss = loss
        self.optimizer = optimizer
        self.one = jax.jit(self._one)
        self.update = jax.jit(self._update, donate_argnums=0)
        self.start = jax.jit(self._start, static_argnums=3)
        self.outlines: dict[Any, Outline] = {}
        self.loops: dict[Any, Any] = {}
        self.placed: dict[Any, Any] = {}

    def _init(self, params: Any, state: Any, rate: Any) -> Carry:
        params, state = jax.tree.map(lambda leaf: jnp.copy(_strong(leaf)), (params, state))
        return Carry(params, self._made(rate).init(params), state, jnp.int32(0))

    def _start(self, params: Any, state: Any, rates: Any, width: int) -> tuple[Carry, Any]:
        return self._init(params, state, rates[0]), jnp.zeros((len(rates), width), rates.dtype)

    def _made(self, rate: Any) -> optax.GradientTransformationExtraArgs:
        made = self.optimizer(constant(rate))
        if not (callable(getattr(made, "init", None)) and callable(getattr(made, "update", None))):
            self.loss.refuse(
                "optimizer(schedule)", "an optax.GradientTransformation", made, TypeError
            )
        return optax.with_extra_args_support(made)

    def _one(self, carry: Carry, rate: Any, key: Any, batch: Any) -> tuple[Carry, Any, Any]:
        """One update: what it leaves, the loss before it, and other numbers by name."""
        if key is not None:
            key = jax.random.fold_in(key, carry.count)
        calculate = jax.value_and_grad(self.loss.__call__, has_aux=True)
        (loss, (state, numbers)), gradient = calculate(carry.params, carry.model_state, batch, key)
        updates, optimizer_state = self._made(rate).update(
            gradient,
            carry.optimizer_state,
            carry.params,
            value=loss,
            grad=gradient,
            value_fn=lambda params: self.loss(params, carry.model_state, batch, key)[0],
        )
        params = optax.apply_updates(carry.params, updates)
        numbers = {name: jax.lax.stop_gradient(number) for name, number in numbers.items()}
        after = Carry(params, optimizer_state, state, carry.count + 1)
        return jax.tree.map(_strong, after), loss, numbers

    def _update(
        self, carry: Carry, seen: Any, rates: Any, key: Any, batch: Any
    ) -> tuple[Carry, Any]:
        """One update with the rate of its turn; its loss and numbers go into a row of `seen`."""
        turn = carry.count % len(rates)
        carry, loss, numbers = self.one(carry, rates[turn], key, batch)
        return carry, seen.at[turn].set(_row(loss, numbers, seen.dtype))

    def outline(self, params: Any, state: Any, rate: Any, key: Any, batch: Any) -> Outline:
        """What is known of the updates before they run.

        Whatever is wrong with the user's functions comes out here.
        """
        leaves, structure = jax.tree.flatten((params, state, rate, key, batch))
        kind = (structure, *map(_kind, leaves))
        if kind not in self.outlines:
            carry = jax.eval_shape(self._init, params, state, rate)
            program, found = jax.make_jaxpr(self.one, return_shape=True)(carry, rate, key, batch)
            after, _, numbers = found
            self.outlines[kind] = Outline(program, after, list(numbers))
        return self.outlines[kind]

    def begin(
        self, params: Any, state: Any, rates: Any, key: Any, batch: Any
    ) -> tuple[Carry, Any, Any]:
        """The carry before the first update, a block to see losses in, and the compiled update.

        The carry is in buffers of its own, which the update may use again. Under a mesh the update
        leaves every array where it is, and an optimizer's state is made outside `jit`, where it
        takes the sharding of the parameters.
        """
        outline = self.outline(params, state, rates[0], key, batch)
        width = 1 + len(outline.names)
        mesh = mesh_of((params, state, batch))
        carry, seen = (self.start if mesh is None else self._start)(params, state, rates, width)
        carry = settled(carry, outline.after, self.loss.refuse)
        if mesh is None:
            return carry, seen, self.update
        places = _places((carry, seen), mesh)
        leaves, structure = jax.tree.flatten(places)
        kind = (tuple(leaves), structure)
        if kind not in self.placed:
            self.placed[kind] = jax.jit(self._update, donate_argnums=0, out_shardings=places)
        return *jax.jit(copied, out_shardings=places)((carry, seen)), self.placed[kind]

    def loop(self, axes: tuple[int | None, ...] | None) -> Any:
        """The compiled loop, over repeats along these axes of its first arguments if any."""
        if axes not in self.loops:
            run = self._run
            if axes is not None:
                run = jax.vmap(run, in_axes=(*axes, None, None, None, None))
            self.loops[axes] = jax.jit(run)
        return self.loops[axes]

    def _run(
        self,
        params: Any,
        state: Any,
        key: Any,
        stack: Any,
        index: Any,
        rates: Any,
        limit: Any,
        divergence: Any,
    ) -> tuple[Any, Any]:
        """Up to `limit` updates: a row of (loss, numbers) for each, and how many were made.

        It stops after two losses in a row above `divergence` times the first, and after one that is
        not finite, like `lrsched.range_test.Recorder`.
        """

        def batch(count: Any) -> Any:
            return jax.tree.map(lambda leaves: leaves[index[count]], stack)

        carry = self._init(params, state, rates[0])
        after, _, numbers = jax.eval_shape(self.one, carry, rates[0], key, batch(0))
        carry = settled(carry, after, self.loss.refuse)
        seen = jnp.full((len(rates), 1 + len(numbers)), jnp.nan, rates.dtype)

        def going(loop: Any) -> Any:
            carry, _, _, stopped = loop
            return (carry.count < limit) & ~stopped

        def step(loop: Any) -> Any:
            carry, seen, above, _ = loop
            count = carry.count
            carry, loss, numbers = self.one(carry, rates[count], key, batch(count))
            row = _row(loss, numbers, seen.dtype)
            seen = seen.at[count].set(row)
            first = seen[0, 0]
            now = is_high(row[0], first, divergence)
            return carry, seen, now, (now & above) | ~jnp.isfinite(row[0])

        false = jnp.bool(False)
        carry, seen, _, _ = jax.lax.while_loop(going, step, (carry, seen, false, false))
        return seen, carry.count


def _row(loss: Any, numbers: dict[str, Any], dtype: Any) -> Any:
    return jnp.stack([x.astype(dtype) for x in (loss, *numbers.values())])


def _kind(leaf: Any) -> Any:
    return (leaf.shape, leaf.dtype) if hasattr(leaf, "dtype") else jnp.result_type(leaf)


def _strong(leaf: Any) -> Any:
    """An array of a type that arithmetic does not change."""
    leaf = jnp.asarray(leaf)
    return jax.lax.convert_element_type(leaf, leaf.dtype) if leaf.weak_type else leaf


def copied(tree: Any) -> Any:
    """Each array in a buffer of its own, also one that a tree holds twice."""
    return jax.tree.map(jnp.copy, tree)


def settled(carry: Carry, after: Carry, refuse: Refusal) -> Carry:
    """The carry in the types that an update gives it; some optimizers begin in others."""
    for name, first, later in zip(Carry._fields, carry, after, strict=True):
        now, then = _types(first), _types(later)
        if now != then:
            refuse(name, f"after an update what it was before, {now}", then)
    result: Carry = jax.tree.map(
        lambda x, y: x if x.dtype == y.dtype else x.astype(y.dtype), carry, after
    )
    return result


def _types(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [leaf.shape for leaf in leaves]


def mesh_of(tree: Any) -> Any:
    """The mesh that arrays are spread over, if any are spread over several devices."""
    for leaf in jax.tree.leaves(tree):
        sharding = getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and sharding.num_devices > 1:
            return sharding.mesh
    return None


def _places(tree: Any, mesh: Any) -> Any:
    """Where each array stays: on every device of the mesh, if it is on one."""

    def of(leaf: Any) -> Any:
        if leaf.sharding.num_devices == 1:
            return NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
        return leaf.sharding

    return jax.tree.map(of, tree)

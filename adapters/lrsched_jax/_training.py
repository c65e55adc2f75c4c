"""Compiled training: one update, and a loop of updates on the device."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from lrsched import constant
from lrsched_jax._carry import Carry, cast_like, copied, strong
from lrsched_jax._divergence import LOOK_EVERY, Divergence, goes_on
from lrsched_jax._model import Fixed, Loss
from lrsched_jax._number_only import takes_number
from lrsched_jax._types import Batch, Optimizer, PyTree


class Outline(NamedTuple):
    """An update that was traced but not run.

    Attributes:
        after: the shapes and dtypes of the carry after it.
        names: the names of the numbers that it records besides the loss.
    """

    after: Carry
    names: list[str]


class Training:
    """The updates of one loss function by one optimizer, compiled when they are first called.

    Each update makes the optimizer again, from a constant schedule of that update's learning rate.
    The rate is an argument of the compiled update, which therefore serves every schedule. And the
    recorded rate is always the one that was used, however the optimizer counts.

    Attributes:
        takes_number: whether the optimizer is made from the rate itself, as it takes no schedule.
    """

    def __init__(self, loss: Loss, optimizer: Optimizer, takes_number: bool = False) -> None:
        self.loss = loss
        self.optimizer = optimizer
        self.takes_number = takes_number
        self.one = jax.jit(self._one)
        self.update = jax.jit(self._update, donate_argnums=0)
        self.start = jax.jit(self._start, static_argnums=3)
        self.outlines: dict[Any, Outline] = {}
        self.loops: dict[Any, Any] = {}
        self.sharded_updates: dict[Any, Any] = {}

    def _init(self, params: PyTree, state: PyTree, rate: Any) -> Carry:
        params, state = jax.tree.map(lambda leaf: jnp.copy(strong(leaf)), (params, state))
        optimizer_state = self._transformation(rate, params).init(params)
        return Carry(params, optimizer_state, state, jnp.int32(0))

    def _start(self, params: PyTree, state: PyTree, rates: Any, width: int) -> tuple[Carry, Any]:
        return self._init(params, state, rates[0]), jnp.zeros((len(rates), width), rates.dtype)

    def _transformation(self, rate: Any, params: PyTree) -> optax.GradientTransformationExtraArgs:
        """The optimizer with a constant learning rate."""
        if self.takes_number:  # of the type that `optax.inject_hyperparams` gives it
            result = self.optimizer(jnp.asarray(rate, jnp.result_type(*jax.tree.leaves(params))))
        else:
            result = self.optimizer(constant(rate))
        functions = (getattr(result, name, None) for name in ("init", "update"))
        if not all(map(callable, functions)):
            expected = "an optax.GradientTransformation"
            self.loss.refuse("optimizer(schedule)", expected, result, TypeError)
        return optax.with_extra_args_support(result)

    def _one(self, carry: Carry, rate: Any, fixed: Fixed, batch: Batch) -> tuple[Carry, Any, Any]:
        """Make one update: the new carry, the loss before it, and other numbers by name."""
        if fixed.key is not None:
            fixed = fixed._replace(key=jax.random.fold_in(fixed.key, carry.count))
        calculate = jax.value_and_grad(self.loss.__call__, has_aux=True)
        (loss, (state, numbers)), gradient = calculate(
            carry.params, carry.model_state, batch, fixed
        )

        def value_fn(params: PyTree, obj_fn: Any = None) -> Any:
            del obj_fn  # optax's line searches refuse arguments that this would not take
            return self.loss(params, carry.model_state, batch, fixed)[0]

        updates, optimizer_state = self._transformation(rate, carry.params).update(
            gradient,
            carry.optimizer_state,
            carry.params,
            value=loss,
            grad=gradient,
            value_fn=value_fn,
            obj_fn=value_fn,  # Sophia's name for it
        )
        params = optax.apply_updates(carry.params, updates)
        numbers = {name: jax.lax.stop_gradient(number) for name, number in numbers.items()}
        after = Carry(params, optimizer_state, state, carry.count + 1)
        return jax.tree.map(strong, after), loss, numbers

    def _update(
        self, carry: Carry, records: Any, rates: Any, fixed: Fixed, batch: Batch
    ) -> tuple[Carry, Any]:
        """Make one update, and write its loss and other numbers into a row of `records`.

        Update n uses rate n and row n, modulo the number of rates.
        """
        row = carry.count % len(rates)
        carry, loss, numbers = self.one(carry, rates[row], fixed, batch)
        return carry, records.at[row].set(_record(loss, numbers, records.dtype))

    def outline(
        self, params: PyTree, state: PyTree, rate: Any, fixed: Fixed, batch: Batch
    ) -> Outline:
        """Trace an update without running it.

        Errors in the user's functions appear here. An optimizer that cannot be traced with a
        schedule, but with a number, takes numbers from then on.
        """
        arguments = (params, state, rate, fixed, batch)
        leaves, structure = jax.tree.flatten(arguments)
        types = (structure, *map(_type, leaves))
        if types not in self.outlines:
            try:
                self.outlines[types] = self._traced(*arguments)
            except Exception:
                if self.takes_number or not takes_number(self, *arguments):
                    raise
                self.takes_number = True
                self.outlines[types] = self._traced(*arguments)
        return self.outlines[types]

    def _traced(
        self, params: PyTree, state: PyTree, rate: Any, fixed: Fixed, batch: Batch
    ) -> Outline:
        carry = jax.eval_shape(self._init, params, state, rate)
        after, _, numbers = jax.eval_shape(self.one, carry, rate, fixed, batch)
        return Outline(after, list(numbers))

    def begin(
        self, params: PyTree, state: PyTree, rates: Any, fixed: Fixed, batch: Batch
    ) -> tuple[Carry, Any, Any]:
        """The carry before the first update, an array for the records, and the compiled update.

        The carry has its own buffers, which the update reuses. On a mesh the update keeps the
        sharding of every array; the optimizer state is then made outside `jit`, where it takes the
        sharding of the parameters.
        """
        outline = self.outline(params, state, rates[0], fixed, batch)
        width = 1 + len(outline.names)
        mesh = mesh_of((params, state, batch))
        carry, records = (self.start if mesh is None else self._start)(params, state, rates, width)
        carry = cast_like(carry, outline.after, self.loss.refuse)
        if mesh is None:
            return carry, records, self.update
        shardings = _shardings((carry, records), mesh)
        leaves, structure = jax.tree.flatten(shardings)
        layout = (tuple(leaves), structure)
        if layout not in self.sharded_updates:
            update = jax.jit(self._update, donate_argnums=0, out_shardings=shardings)
            self.sharded_updates[layout] = update
        copies = jax.jit(copied, out_shardings=shardings)((carry, records))
        return *copies, self.sharded_updates[layout]

    def loop(self, axes: tuple[Any, ...] | None) -> Any:
        """The compiled loop; with `axes`, batched by `vmap` over them for its first arguments."""
        if axes not in self.loops:
            run = self._run
            if axes is not None:
                run = jax.vmap(run, in_axes=(*axes, None, None, None, None))
            self.loops[axes] = jax.jit(run)
        return self.loops[axes]

    def _run(
        self,
        params: PyTree,
        state: PyTree,
        fixed: Fixed,
        stack: PyTree,
        index: Any,
        rates: Any,
        limit: Any,
        divergence: Divergence,
    ) -> tuple[Any, Any]:
        """Make up to `limit` updates; return a row (loss, *numbers) for each, and how many.

        Update n uses batch `index[n]` of the stack. The loop stops where `Recorder` does, or up to
        `LOOK_EVERY` - 1 updates later.
        """

        def batch(count: Any) -> Batch:
            return jax.tree.map(lambda leaves: leaves[index[count]], stack)

        carry = self._init(params, state, rates[0])
        after, _, numbers = jax.eval_shape(self.one, carry, rates[0], fixed, batch(0))
        carry = cast_like(carry, after, self.loss.refuse)
        records = jnp.full((len(rates), 1 + len(numbers)), jnp.nan, rates.dtype)

        def continues(loop: Any) -> Any:
            carry, records = loop
            return (carry.count < limit) & goes_on(records[:, 0], carry.count, divergence)

        def step(_: Any, loop: Any) -> Any:
            carry, records = loop
            count = carry.count
            carry, loss, numbers = self.one(carry, rates[count], fixed, batch(count))
            return carry, records.at[count].set(_record(loss, numbers, records.dtype))

        def steps(loop: Any) -> Any:
            # A GPU's host waits at each look at `continues`, which takes as long as a small update.
            return jax.lax.fori_loop(0, math.gcd(len(rates), LOOK_EVERY), step, loop)

        carry, records = jax.lax.while_loop(continues, steps, (carry, records))
        return records, jnp.minimum(carry.count, limit)


def _record(loss: Any, numbers: dict[str, Any], dtype: Any) -> Any:
    """The loss and the other numbers as one array."""
    return jnp.stack([x.astype(dtype) for x in (loss, *numbers.values())])


def _type(leaf: Any) -> Any:
    return (leaf.shape, leaf.dtype) if hasattr(leaf, "dtype") else jnp.result_type(leaf)


def mesh_of(tree: PyTree) -> Any:
    """The mesh of the first array that is sharded over several devices, or None."""
    for leaf in jax.tree.leaves(tree):
        sharding = getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and sharding.num_devices > 1:
            return sharding.mesh
    return None


def _shardings(tree: PyTree, mesh: Any) -> Any:
    """The sharding of each array; an array on one device is replicated over the mesh."""

    def sharding(leaf: Any) -> Any:
        if leaf.sharding.num_devices == 1:
            return NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
        return leaf.sharding

    return jax.tree.map(sharding, tree)

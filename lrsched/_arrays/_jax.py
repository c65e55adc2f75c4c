"""Arrays of JAX that join the type of what they are combined with, as Python numbers do."""

from functools import partial

import jax
import jax.numpy as jnp

from lrsched._arrays.types import Array


@partial(jax.jit, inline=True)
def as_python_number(x: Array) -> Array:
    """`x` as JAX holds a Python float or int: in the default dtype of its kind, with a weak type.

    `full_like` takes the weak type of its first argument, and a single number as its second.
    """
    full = partial(jnp.full_like, 0 if jnp.issubdtype(x.dtype, jnp.integer) else 0.0)
    for _ in x.shape:
        full = jax.vmap(full)
    return full(x)

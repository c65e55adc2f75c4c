"""Recipes as JAX pytrees, whose leaves are the numeric hyperparameters."""

from __future__ import annotations

from typing import Any


def register_recipes(recipe_type: Any, tree_util: Any) -> None:
    """Make recipes of a type pytrees. JAX must know that before it takes one as an argument."""

    def flatten_with_keys(recipe: Any) -> tuple[Any, Any]:
        children, static = flatten(recipe)
        definition, _ = static
        keys = map(tree_util.GetAttrKey, definition.traced)
        return tuple(zip(keys, children, strict=True)), static

    def flatten(recipe: Any) -> tuple[Any, Any]:
        children, static = recipe._definition.split(recipe._values)
        return children, (recipe._definition, static)

    def unflatten(static: Any, children: Any) -> Any:
        definition, kept = static
        return recipe_type(definition, definition.merge(children, kept))

    tree_util.register_pytree_with_keys(recipe_type, flatten_with_keys, unflatten, flatten)

"""ignite's handlers, imported past the deprecations that torch raises on the way."""

import warnings

from tests.optional import needs

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
    needs("ignite")
    from ignite.handlers import lr_finder, param_scheduler

__all__ = ["lr_finder", "param_scheduler"]

"""The schedules of libraries that are not installed, as plain functions of the step in float64.

Each module has the names and parameters of one library, and gives a function of the number of
updates made; each is written from what the library documents, and knows nothing of `lrsched`.
"""

from collections.abc import Callable

Curve = Callable[[int], float]

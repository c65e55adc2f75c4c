"""torch schedulers that take their values from lrsched schedules."""

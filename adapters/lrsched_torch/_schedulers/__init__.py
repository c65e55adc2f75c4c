"""torch schedulers that take their values from schedules."""

"""Convert torch schedulers into schedules, and schedules into torch schedulers."""

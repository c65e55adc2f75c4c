"""The catalogue of schedules, one family a file."""

"""The schedules, one family per file."""

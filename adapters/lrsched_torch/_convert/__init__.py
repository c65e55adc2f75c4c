"""torch's schedulers as schedules, and schedules as torch's schedulers."""

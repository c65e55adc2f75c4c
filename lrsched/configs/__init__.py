"""Schedules from configurations: our own form, and one module for each format of others."""

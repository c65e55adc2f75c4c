"""Readers of recipes: plain data, JSON, text, configurations, and transformers' names."""

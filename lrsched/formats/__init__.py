"""Recipes read: from plain data, JSON, text, configs, and the names of transformers."""

"""The range test inside the loop of transformers' Trainer."""

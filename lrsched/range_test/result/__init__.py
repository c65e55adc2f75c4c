"""A range test as a value: what it holds, and how it is drawn, described and stored."""

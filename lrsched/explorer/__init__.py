"""The Python side of the explorer: what its page asks, and answers as JSON.

docs/explanation/explorer.md says how it works.

The page runs these modules in the browser, so they import no array library.
"""

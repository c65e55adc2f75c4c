"""The Python side of the explorer: what its page asks, and answers as JSON; see docs/explanation/explorer.md.

The page runs these modules in the browser, so they import no array library.
"""

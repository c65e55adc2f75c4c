"""`python -m lrsched.cli`."""

from lrsched.cli import main

main()

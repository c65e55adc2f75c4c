"""`python -m lrsched`: the command `lrsched`."""

from lrsched.cli import main

main()

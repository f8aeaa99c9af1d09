"""`python -m tabasco` is `tabasco`."""

from tabasco.cli import main

main()

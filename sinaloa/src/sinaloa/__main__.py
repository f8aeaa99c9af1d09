"""`python -m sinaloa` is `sinaloa`."""

from sinaloa.cli import main

main()

"""`python -m sonora` is `sonora`."""

from sonora.cli import main

main()

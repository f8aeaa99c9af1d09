"""`python -m veracruz` is `veracruz`."""

from veracruz.cli import main

main()

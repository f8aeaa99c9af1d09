"""`python -m sinaloa_operator` is the command `veracruz-operator`."""

from sinaloa_operator.cli import main

if __name__ == "__main__":
    main()

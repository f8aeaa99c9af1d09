"""The sample data that the demo computes on: people who do not exist."""

from importlib.resources import files
from typing import Final

NAMES: Final = ("people-a.csv", "people-b.csv")


def load(name: str) -> bytes:
    """The sample file `name`; KeyError if there is none of that name."""
    if name not in NAMES:
        raise KeyError(name)
    return files("sdk").joinpath("data", name).read_bytes()

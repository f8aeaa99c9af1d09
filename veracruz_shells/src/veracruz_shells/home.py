"""This user's home folder, which users that are made for a service may lack."""

from pathlib import Path


def home_folder() -> Path | None:
    """As `HOME` or the list of users says; None where neither does."""
    try:
        return Path.home()
    except RuntimeError:
        return None

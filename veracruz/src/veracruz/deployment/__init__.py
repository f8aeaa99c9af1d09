"""Units of systemd for the services, their users and their folders, as files to install."""

import re
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Final

from veracruz.errors import UnitError
from veracruz_shells.files import NewFile, write_new_files

UNIT_FILES: Final = (
    "systemd/system/veracruz-tabasco.service",
    "systemd/system/veracruz-sonora.service",
    "systemd/system/veracruz-sinaloa.service",
    "sysusers.d/veracruz.conf",
    "tmpfiles.d/veracruz.conf",
)
"""Where each lies, below /etc or /usr/lib."""

_PLACE: Final = "@PREFIX@"
# What neither systemd nor a reader of the unit takes for anything but part of a path.
_PLAIN: Final = re.compile(r"/[A-Za-z0-9._+/-]+")
_HIDDEN: Final = (PurePosixPath("/home"), PurePosixPath("/root"), PurePosixPath("/run/user"))


def write_units(folder: Path, *, prefix: PurePosixPath, force: bool) -> tuple[Path, ...]:
    """Write all of them, or none, below a folder that is made where it is missing.

    Args:
        folder: what stands for /etc.
        prefix: where Veracruz is installed: the services are started from its `bin`.
        force: overwrite those that are there.

    Returns:
        the files.

    Raises:
        UnitError: no unit can start anything from this prefix, or a folder cannot be made.
        VeracruzError: a file exists already (without `force`), or cannot be written.
    """
    _check_prefix(prefix)
    made = tuple(
        NewFile(folder / name, _text(name).replace(_PLACE, str(prefix)).encode(), 0o644)
        for name in UNIT_FILES
    )
    for each in made:
        try:
            each.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnitError(f"cannot make {each.path.parent}: {error.strerror}") from error
    write_new_files(*made, force=force)
    return tuple(each.path for each in made)


def unit_text(service: str, prefix: PurePosixPath) -> str:
    """The unit of a service, such as `sonora`, for this installation."""
    return _text(f"systemd/system/veracruz-{service}.service").replace(_PLACE, str(prefix))


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")


def _check_prefix(prefix: PurePosixPath) -> None:
    if not _PLAIN.fullmatch(str(prefix)) or ".." in prefix.parts:
        raise UnitError(
            f"prefix {str(prefix)!r:.200} is not a plain absolute path "
            "(letters, digits and ._+-/): "
            "install Veracruz in one, such as /opt/veracruz"
        )
    for each in _HIDDEN:
        if prefix.is_relative_to(each):
            raise UnitError(
                f"prefix {prefix} is in {each}, which the units keep from services (ProtectHome=): "
                "install Veracruz elsewhere, such as in /opt/veracruz, and name that by --prefix"
            )

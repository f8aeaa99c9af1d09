"""The options that say which TPM vouches for this machine, for each command that asks one."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from sonora.evidence.tpm.source import TpmSettings
from sonora.evidence.tpm.transport import DEVICE, TpmPlace
from veracruz_shells.option_names import NamedOption
from veracruz_utils.errors import VeracruzError

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
# TCG, "Registry of Reserved TPM 2.0 Handles": what stays in a TPM.
_PERSISTENT: Final = range(0x81000000, 0x82000000)


class _Place(click.ParamType[TpmPlace]):
    name = "place"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> TpmPlace:
        if isinstance(value, TpmPlace):
            return value
        try:
            return TpmPlace.parse(str(value))
        except VeracruzError as error:
            self.fail(str(error), param, ctx)


class _Handle(click.ParamType[int]):
    name = "handle"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            handle = value if isinstance(value, int) else int(str(value), 0)
        except ValueError:
            self.fail(f"{str(value)[:40]!r} is not a number", param, ctx)
        if handle not in _PERSISTENT:
            self.fail(f"{handle:#x} is not a persistent handle, 0x81000000 and on", param, ctx)
        return handle


def tpm_options(command: _F) -> _F:
    """Add the options, which are passed as `tpm: TpmSettings`."""

    @functools.wraps(command)
    def with_settings(
        *arguments: Any,  # noqa: ANN401 - of any command
        tpm_place: TpmPlace,
        tpm_key: int | None,
        tpm_endorsement: Path | None,
        tpm_event_log: Path | None,
        **others: Any,  # noqa: ANN401 - of any command
    ) -> Any:  # noqa: ANN401 - of any command
        tpm = TpmSettings(tpm_place, tpm_key, tpm_endorsement, tpm_event_log)
        return command(*arguments, tpm=tpm, **others)

    for option in reversed(
        [
            click.option("--tpm", "tpm_place", cls=NamedOption, type=_Place(),
                         default=str(DEVICE), show_default=True,
                         metavar="DEVICE|tcp:HOST:PORT|unix:PATH",
                         help="The TPM of --evidence tpm: a device, or a software TPM's socket."),
            click.option("--tpm-key", type=_Handle(), metavar="HANDLE", show_default="one is made",
                         help="A persistent attestation key of the TPM, such as 0x81010002."),
            click.option("--tpm-endorsement", type=_FILE, metavar="FILE",
                         show_default="from the TPM",
                         help="The TPM's endorsement certificate (PEM or DER), and behind it those "
                         "between it and the root that Tabasco trusts."),
            click.option("--tpm-event-log", type=_FILE, metavar="FILE",
                         show_default="the kernel's",
                         help="The firmware's log of what it measured, which goes with evidence."),
        ]
    ):  # fmt: skip
        with_settings = option(with_settings)
    return with_settings  # type: ignore[return-value]

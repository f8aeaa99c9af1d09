"""`--encode`: a file is encoded as the policy says and sent in one step."""

import functools
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TypeVar

import click
from click.core import ParameterSource

from colima.runtime import ContentKind
from durango.cli.membership import Membership
from durango.content import UploadContent, open_content
from durango.errors import WrongInputError
from durango.input_files import check_input, encoded, text_form
from durango.input_places import PlaceOfInput, place_of
from veracruz_shells.console import progress
from veracruz_shells.own_data import OwnData, encoding_progress, reading_options
from veracruz_utils.encoding.sql_tables import is_table
from veracruz_utils.frozen import frozen

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])


@frozen
class Encoding:
    """Whether a file is to be encoded, and what it is."""

    wanted: bool
    own: OwnData


def encoding_options(command: _CommandT) -> Callable[..., object]:
    """Adds `--encode` and what is said of own data with it; passed as `encoding`."""

    @click.option(
        "--encode",
        is_flag=True,
        help="FILE is CSV, JSON, JSON Lines, Parquet or Arrow (these two take "
        "veracruz-durango[arrow]): encode it as the type that the policy says, and send that. The "
        "options from --from to --query are for this.",
    )
    @reading_options
    @functools.wraps(command)
    def run(*, encode: bool, own: OwnData, **others: object) -> object:
        if own.said and not encode:
            raise click.UsageError(
                f"{own.said[0]} is for --encode: encoded data have no need of it"
            )
        return command(encoding=Encoding(encode, own), **others)

    return run


@contextmanager
def open_input(
    file: Path, membership: Membership, kind: ContentKind, package: int, encoding: Encoding
) -> Iterator[UploadContent]:
    """The content of a file, encoded if that is wanted, which is what the policy says of its place.

    Raises:
        WrongInputError: it is not; where it is text, with the command that encodes it.
    """
    policy = membership.access.policy
    place = place_of(policy, membership.member, kind, package)
    with open_content(file) as given:
        content = _encoded(given, place, encoding.own) if encoding.wanted else given
        try:
            with progress("checking"):
                check_input(content, place, policy)
        except WrongInputError as error:
            if error.form is None:
                raise
            options = ["--encode", *(["--header"] if error.header else [])]
            # What came by a pipe has to come again.
            by = " " + " ".join(options) if str(file) == "-" else f"\n  {_command(options)}"
            raise WrongInputError(f"{error}, in one step by{by}") from error
        yield content


def _encoded(given: UploadContent, place: PlaceOfInput, own: OwnData) -> UploadContent:
    looks = text_form(given, place.kind) if place.kind else None
    form = own.form_for(given.name) or looks or "json"
    reading = own.reading(form, given.name)
    if not reading.table and place.kind and is_table(place.kind):
        reading = replace(reading, table=PurePath(given.name).stem)
    with given.open() as file, encoding_progress(file) as on_rows:
        return encoded(given, place, form, reading=reading, on_rows=on_rows, file=file)


def _command(more: list[str]) -> str:
    """The command that is under way, as it was given, with more options."""
    context = click.get_current_context()
    words = [*context.command_path.split(), *more]
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        given = context.params[name]
        option = [max(parameter.opts, key=len)] if isinstance(parameter, click.Option) else []
        for value in given if isinstance(given, tuple) else (given,):
            words += option
            if not isinstance(value, bool):
                words.append(str(value))
    return shlex.join(words)

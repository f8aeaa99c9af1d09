"""`--encode`: a file is encoded as the policy says and sent in one step."""

import functools
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from colima.runtime import ContentKind
from durango.cli.options import Membership
from durango.content import UploadContent, open_content
from durango.errors import WrongInputError
from durango.input_files import check_input, encoded
from durango.input_places import place_of

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Encoding:
    """Whether a file is to be encoded, and whether its first row names the columns."""

    wanted: bool
    header: bool


def encoding_options(command: _CommandT) -> Callable[..., object]:
    """Adds `--encode` and `--header`; passed as `encoding`."""

    @click.option(
        "--encode",
        is_flag=True,
        help="FILE is CSV or JSON: encode it as the type that the policy says, and send that.",
    )
    @click.option(
        "--header", is_flag=True, help="With --encode: the first row of the CSV names the columns."
    )
    @functools.wraps(command)
    def run(*, encode: bool, header: bool, **others: object) -> object:
        if header and not encode:
            raise click.UsageError("--header is for --encode: encoded data have no names in them")
        return command(encoding=Encoding(encode, header), **others)

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
        content = encoded(given, place, header=encoding.header) if encoding.wanted else given
        try:
            check_input(content, place, policy)
        except WrongInputError as error:
            if error.form is None:
                raise
            options = ["--encode", *(["--header"] if error.header else [])]
            # What came by a pipe has to come again.
            by = " " + " ".join(options) if str(file) == "-" else f"\n  {_command(options)}"
            raise WrongInputError(f"{error}, in one step by{by}") from error
        yield content


def _command(more: list[str]) -> str:
    """The command that is under way, as it was given, with more options."""
    context = click.get_current_context()
    words = [*context.command_path.split(), *more]
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(parameter, click.Option):
            words.append(max(parameter.opts, key=len))
        if not isinstance(value, bool):
            words.append(str(value))
    return shlex.join(words)

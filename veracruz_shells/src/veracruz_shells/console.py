"""What our command lines share: how they end, what they print where, the options they all have.

A program is a `command_group` or a `single_command`. It ends with 0 done, 1 failed, 2 wrong usage,
3 refused by attestation or policy, 4 peer unreachable, 130 interrupted. Results go to standard
output, all else to standard error in plain text; but with `--json` an error is one JSON object, on
the last line; and where a log is in JSON all lines are objects.
"""

import gc
import itertools
import json
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from importlib import import_module
from pathlib import PurePath
from typing import Any, Final, Unpack

import click

from veracruz_shells.files import read_file, to_standard_output, write_new_file
from veracruz_shells.log import LogFields, log_line, log_option, logs_json
from veracruz_shells.option_names import NamedOption
from veracruz_shells.progress import progress, step_aside
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError

__all__ = [
    "ADDRESS",
    "CommandGroup",
    "SecondsRange",
    "SingleCommand",
    "command_group",
    "emit",
    "json_option",
    "json_wanted",
    "log_option",
    "note",
    "progress",
    "read_file",
    "single_command",
    "subgroup",
    "write_new_file",
]

INTERRUPTED: Final = 130
_TOO_MANY: Final = "Got unexpected extra argument"
_QUOTES: Final = ": a name with spaces in it stands in quotes"
_BETWEEN_COLLECTIONS: Final = 100_000  # objects; Python's own number is 700
_AGAIN_S: Final = 0.05
_STATUSES: Final = (
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused by attestation or policy, "
    "4 peer unreachable, 130 interrupted."
)

_debug: ContextVar[bool] = ContextVar("_debug", default=False)
_as_json: ContextVar[bool] = ContextVar("_as_json", default=False)
_log_is_json: ContextVar[bool] = ContextVar("_log_is_json", default=False)


class _Program(click.Command):
    def __call__(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's
        """Run, under its own name however it was started."""
        # While modules load there is no garbage, and to look for it takes a tenth of the start.
        gc.set_threshold(_BETWEEN_COLLECTIONS)
        return self.main(*args, **{"prog_name": self.name, **extra})

    def main(
        self,
        args: Sequence[str] | None = None,
        *others: Any,  # noqa: ANN401 - click's
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Run; with `--json` even a line that cannot be read is told as JSON."""
        words = sys.argv[1:] if args is None else list(args)
        own = [*itertools.takewhile(lambda word: word != "--", words)]
        kept, kept_log = _as_json.set("--json" in own), _log_is_json.set(_json_log_in(own))
        try:
            return super().main(args, *others, **extra)
        finally:
            _as_json.reset(kept)
            _log_is_json.reset(kept_log)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """Read the command line; no colours if NO_COLOR is set, which click ignores."""
        if os.environ.get("NO_COLOR"):
            extra.setdefault("color", False)
        with _ending(self.name):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Do what the command line says, and end as programs of ours do."""
        with _ending(self.name), _interruptible():
            return super().invoke(ctx)


class Subgroup(click.Group):
    """A group of commands inside a program; it lists them with their whole first sentence.

    Attributes:
        elsewhere: commands that are loaded when they are wanted: where each is, as
            `package.module:name`, and what the list of commands says of it.
    """

    elsewhere: Mapping[str, tuple[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, loaded if need be."""
        if cmd_name not in self.commands and cmd_name in self.elsewhere:
            module, _, name = self.elsewhere[cmd_name][0].partition(":")
            with _uncollected():
                self.add_command(getattr(import_module(module), name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, wrapped and not cut off; none is loaded for it."""
        rows = [(name, self._summary(ctx, name)) for name in self.list_commands(ctx)]
        if not rows:
            return
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        if name in self.elsewhere:
            return self.elsewhere[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=400) if command else ""


def subgroup(
    name: str | None = None,
    **settings: Any,  # noqa: ANN401 - click's
) -> Callable[[Callable[..., object]], Subgroup]:
    """`click.group` for a group inside a program."""
    return click.group(name, cls=Subgroup, **settings)


class SingleCommand(_Program):
    """A program that is one command; made by `single_command`."""


class CommandGroup(_Program, Subgroup):
    """A program with commands; made by `command_group`."""


def command_group(
    prog: str,
    *,
    distribution: str,
    help: str,  # noqa: A002 - click's word
    cls: type[CommandGroup] = CommandGroup,
) -> Callable[[Callable[..., object]], CommandGroup]:
    """Make a function the group of a program's commands, with -h, --version and --debug.

    Every option has an environment name that starts with the program's, such as
    `DURANGO_ATTEST_TIMEOUT`; `_DURANGO_COMPLETE=bash_source durango` prints a shell completion.

    Args:
        prog: the program's name.
        distribution: the distribution whose version is the program's.
        help: what the program is for.
        cls: a kind of group that reads its command line in another way.
    """

    def decorate(function: Callable[..., object]) -> CommandGroup:
        group = click.group(
            prog,
            cls=cls,
            help=help,
            epilog=_STATUSES,
            context_settings=_settings(prog),
        )
        return group(_with_common_options(function, prog, distribution))

    return decorate


def single_command(
    prog: str,
    *,
    distribution: str,
    help: str,  # noqa: A002 - click's word
) -> Callable[[Callable[..., object]], SingleCommand]:
    """Make a function a program of its own; otherwise as `command_group`."""

    def decorate(function: Callable[..., object]) -> SingleCommand:
        command = click.command(
            prog,
            cls=SingleCommand,
            help=help,
            epilog=_STATUSES,
            context_settings=_settings(prog),
        )
        return command(_with_common_options(function, prog, distribution))

    return decorate


class _AddressType(click.ParamType[Address]):
    name = "host:port"

    def convert(
        self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """The address, or a usage error."""
        try:
            return value if isinstance(value, Address) else Address.parse(value)
        except VeracruzError as error:
            self.fail(str(error), param, ctx)


ADDRESS: Final = _AddressType()
"""The type of an option or argument that is a `host:port`."""


class SecondsRange(click.FloatRange):
    """The type of an option that is a number of seconds: a range, in which NaN is not."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The number, or a usage error."""
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{found} is no number of seconds.", param, ctx)
        return found


def _json_log_in(words: Sequence[str]) -> bool:
    """Whether these words ask for a log in JSON, for what ends before all of them are read."""
    pairs = itertools.pairwise([*words, ""])
    return "--log-format=json" in words or ("--log-format", "json") in pairs


def _note_json(_: click.Context, __: click.Parameter, value: bool) -> bool:  # noqa: FBT001
    _as_json.set(value or _as_json.get())
    return value


def json_wanted() -> bool:
    """Whether `--json` is in the command line, for what ends before all of it is read."""
    return _as_json.get()


json_option = click.option(
    "--json",
    "as_json",
    cls=NamedOption,
    is_flag=True,
    is_eager=True,
    callback=_note_json,
    help="Print the result as one JSON object, and an error as one on standard error.",
)
"""Adds `--json`, passed as `as_json: bool`."""


def emit(value: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print a result: `value` as one JSON object on a line, or `text`.

    Args:
        value: what programs read; digests, paths, times and bytes (as hex) are written as text.
        text: what people read.
        as_json: which.

    Raises:
        VeracruzError: it cannot be written.
    """
    with to_standard_output():
        click.echo(json.dumps(value, default=_plain) if as_json else _shown(text))


def note(text: str, **fields: Unpack[LogFields]) -> None:
    """Print a line that is not a result, on standard error; a line of the log if that is JSON.

    Args:
        text: the line.
        fields: what the line is about, for a log in JSON.
    """
    step_aside()
    prog, mark, rest = text.partition(": ")
    named = bool(mark) and prog.isidentifier() and prog != "warning"
    level = "warning" if (rest if named else text).startswith("warning: ") else "info"
    logger = prog if named else __name__
    told = {name: value for name, value in fields.items() if value is not None}
    line = log_line(level, logger, rest if named else text, **told)
    click.echo(line if logs_json() else _shown(text), err=True)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage meanwhile: of what modules define at first, hardly anything is."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt end the program wherever it comes.

    Raised while an object is finalised or a library calls back, an exception is dropped, and a
    program would go on. So one that was dropped is raised again.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # only the main thread has handlers; and who has one of its own keeps it
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)  # when whoever dropped it is done
        else:
            sys.__unraisablehook__(what)

    signal.signal(signal.SIGALRM, interrupt)
    sys.unraisablehook = dropped
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.unraisablehook = sys.__unraisablehook__


@contextmanager
def _ending(prog: str | None) -> Iterator[None]:
    """Turn what goes wrong into a line and an exit status."""
    kept = _as_json.set(_as_json.get())
    try:
        yield
    except (click.exceptions.Exit, BrokenPipeError):
        raise  # click knows
    except (Exception, KeyboardInterrupt) as caught:
        error = _unanswered(caught)
        as_json = _as_json.get() or logs_json() or _log_is_json.get()
        if isinstance(error, click.exceptions.Abort) and not as_json:
            raise
        said = _with_hint(error)
        if isinstance(said, click.ClickException) and not as_json:
            raise said from None  # click says it with the usage
        if _debug.get() and not (logs_json() or _log_is_json.get()):
            traceback.print_exc()
        status, text = _failure(said)
        facts = _error_facts(error, text, status)
        if logs_json() or _log_is_json.get():
            more = {"traceback": traceback.format_exc()} if _debug.get() else {}
            line = log_line("error", str(prog), text, error=facts, **more)
        else:
            line = json.dumps({"error": facts}) if _as_json.get() else f"{prog}: {_shown(text)}"
        click.echo(line, err=True)
        raise click.exceptions.Exit(status) from None
    finally:
        _as_json.reset(kept)


def _unanswered(error: BaseException) -> BaseException:
    """The same; an interrupt at a question, of which click makes another error, as what it was."""
    if not isinstance(error, click.exceptions.Abort):
        return error
    if isinstance(error.__context__, KeyboardInterrupt | EOFError):
        click.echo(err=True)  # the question's line has no end yet
    return error.__context__ if isinstance(error.__context__, KeyboardInterrupt) else error


def _with_hint(error: BaseException) -> BaseException:
    """The same; where click does not say what to do, with that."""
    match error:
        case click.MissingParameter(param=click.Option() as option, message=""):
            return click.MissingParameter(option.help, ctx=error.ctx, param=option)
        case click.UsageError() if error.message.startswith(_TOO_MANY):
            return click.UsageError(error.message + _QUOTES, ctx=error.ctx)
    return error


def _failure(error: BaseException) -> tuple[int, str]:
    """The exit status and the words for what went wrong."""
    match error:
        case click.ClickException():
            return error.exit_code, error.format_message()
        case click.exceptions.Abort():
            return 1, "aborted"
        case KeyboardInterrupt():
            return INTERRUPTED, "interrupted"
        case VeracruzError():
            return error.exit_code, str(error)
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            return 1, f"{error.strerror or error}{where}"
    return 1, f"internal error, run with --debug for the traceback: {error!r:.300}"


def _shown(text: str) -> str:
    """The same with nothing in it that could move a terminal's cursor or turn its lines around.

    Names of files and of fields are other people's, and results and messages have them.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def _error_facts(error: BaseException, text: str, status: int) -> dict[str, object]:
    """An error for programs; `code` and `path` are there where the error has them."""
    facts: dict[str, object] = {"message": text, "kind": type(error).__name__, "status": status}
    for name in ("code", "path"):
        value = getattr(error, name, None)
        if isinstance(value, str):
            facts[name] = str(value)
    return facts


def _with_common_options(
    function: Callable[..., object], prog: str, distribution: str
) -> Callable[..., object]:
    version = click.version_option(
        package_name=distribution,
        prog_name=prog,
        message="%(prog)s %(version)s",
        allow_from_autoenv=False,
    )
    debug = click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_note_debug,
        help="Print the traceback of an error.",
    )
    return version(debug(function))


def _note_debug(_: click.Context, __: click.Parameter, value: bool) -> None:  # noqa: FBT001
    _debug.set(value)


def _settings(prog: str) -> dict[str, Any]:
    return {
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": prog.upper().replace("-", "_"),
    }


def _plain(value: object) -> str:
    match value:
        case Digest() | Address() | PurePath():
            return str(value)
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
    raise TypeError(f"{type(value).__name__} has no form in JSON")

"""Settings of services: first a flag counts, then the environment, a file, the default.

click decides (`default_map`, `auto_envvar_prefix`); here is which file it is, what is refused
rather than passed over, and `--print-config`, which says what holds and where it comes from.
"""

import difflib
import itertools
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

import click
from click.core import ParameterSource

from veracruz_shells.console import CommandGroup, Subgroup, command_group, emit
from veracruz_shells.option_names import key_of, names_of
from veracruz_shells.settings_file import SettingsError, defaults_in, file_of, settings_of

__all__ = ["ServiceCommand", "ServiceGroup", "service_group"]

_FILE: Final = "veracruz_shells.settings.file"
_SECRET_IN_URL: Final = re.compile(r"(?<=://)([^:@/?#]*):.*@")
_HIDDEN: Final = "***"


def service_group(
    prog: str,
    *,
    distribution: str,
    help: str,  # noqa: A002 - click's word
) -> Callable[[Callable[..., object]], CommandGroup]:
    """`command_group` for a program whose commands a file can configure, named by `--config`."""

    def decorate(function: Callable[..., object]) -> CommandGroup:
        option = _config_option(f"{prog.upper()}_CONFIG", prog)
        group = command_group(prog, distribution=distribution, help=help, cls=ServiceGroup)
        return group(option(function))

    return decorate


class _Configured(Subgroup):
    """A group that gives its commands the defaults of a file, and says where a bad value stood."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the group's own words, then the file, unless the command names another."""
        rest = super().parse_args(ctx, args)
        later = itertools.takewhile(lambda word: word != "--", ctx.args)
        named = any(word.partition("=")[0] == "--config" for word in later)
        if not (ctx.resilient_parsing or named):
            path = ctx.meta.get(_FILE) or file_of(ctx.info_name or "")
            if path is not None:
                ctx.meta[_FILE] = path
                ctx.default_map = defaults_in(path, self, ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Do as groups do; an error about a value names the file or the variable it came from."""
        try:
            return super().invoke(ctx)
        except click.BadParameter as error:
            _place(error)
            raise


class ServiceGroup(CommandGroup, _Configured):
    """A program with services; made by `service_group`."""


class ServiceCommand(click.Command):
    """A command that runs a service: it has `--config` and `--print-config`.

    A name in the environment that begins as those of its options do, and is none, is refused.
    """

    def __init__(self, *args: Any, **extra: Any) -> None:  # noqa: ANN401 - click's
        """As click's, with two options more."""
        super().__init__(*args, **extra)
        self.params += [
            click.Option(
                ["--config"],
                type=click.Path(path_type=Path),
                metavar="FILE",
                allow_from_autoenv=False,
                expose_value=False,
                help="Read settings from this file, as --config before the command.",
            ),
            click.Option(
                ["--print-config"],
                is_flag=True,
                allow_from_autoenv=False,
                expose_value=False,
                help="Print which settings hold and where each comes from, and end.",
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words, with the file's defaults; or print the settings."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        opts, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        if "config" in opts and "help" not in opts:
            self._read(ctx, Path(str(opts["config"])))
        self._refuse_unknown_names(ctx)
        if "print_config" in opts and "help" not in opts:
            self._print(ctx, opts)
            ctx.exit(0)
        return super().parse_args(ctx, args)

    def names(self, ctx: click.Context) -> dict[str, list[str]]:
        """Under which names the environment gives each setting."""
        return {key: names_of(each, ctx) for key, each in settings_of(self).items()}

    def _read(self, ctx: click.Context, path: Path) -> None:
        parent = ctx.parent
        assert parent is not None
        assert isinstance(parent.command, click.Group)
        ctx.meta[_FILE] = path
        ctx.default_map = defaults_in(path, parent.command, parent)[ctx.info_name or ""]

    def _refuse_unknown_names(self, ctx: click.Context) -> None:
        prefix = f"{ctx.auto_envvar_prefix}_"
        names = self.names(ctx)
        known = {name for each in names.values() for name in each}
        short = prefix.removesuffix(f"{(ctx.info_name or '').upper()}_")
        for name in sorted(set(os.environ) - known):
            instead = (
                names.get(name.removeprefix(short).lower()) if name.startswith(short) else None
            )
            if name.startswith(prefix) or instead:
                every = [each for each in sorted(known) if each.startswith(prefix)]
                near = instead or difflib.get_close_matches(name, every, n=1)
                remedy = f"did you mean {near[0]}?" if near else f"expected {', '.join(every)}"
                raise SettingsError(
                    f"{name} in the environment stands for no option of "
                    f"{ctx.command_path}: {remedy}"
                )

    def _print(self, ctx: click.Context, opts: Mapping[str, Any]) -> None:
        rows = []
        for key, parameter in settings_of(self).items():
            value, source = parameter.consume_value(ctx, opts)
            assert parameter.name is not None
            ctx.set_parameter_source(parameter.name, source)
            if parameter.multiple and not isinstance(value, list | tuple):
                value = ()
            elif not isinstance(value, str | int | float | list | tuple | PurePath):
                value = None  # click's word for what is not set, among others
            if value is not None:
                cast = parameter.type_cast_value(ctx, value)
                value = cast if isinstance(cast, str | int | float) else value
            rows.append((key, _without_secrets(value), source, _origin(ctx, parameter, source)))
        path = ctx.meta.get(_FILE)
        facts = {
            "file": path,
            "settings": {
                key: {"value": value, "source": _SOURCES[source], "from": origin}
                for key, value, source, origin in rows
            },
        }
        lines = [
            f"# {key} is not set" if value is None else f"{key} = {_toml(value)}  # {origin}"
            for key, value, _, origin in rows
        ]
        head = [f"# file: {path or 'none'}", f"[{ctx.info_name}]"]
        emit(facts, "\n".join([*head, *lines]), as_json="as_json" in opts)


_SOURCES: Final = {
    ParameterSource.COMMANDLINE: "flag",
    ParameterSource.ENVIRONMENT: "environment",
    ParameterSource.DEFAULT_MAP: "file",
    ParameterSource.DEFAULT: "default",
    ParameterSource.PROMPT: "flag",
}


def _origin(ctx: click.Context, parameter: click.Parameter, source: ParameterSource) -> str:
    match source:
        case ParameterSource.ENVIRONMENT:
            names = names_of(parameter, ctx)
            return next((name for name in names if os.environ.get(name)), names[0])
        case ParameterSource.DEFAULT_MAP:
            return str(ctx.meta.get(_FILE))
        case ParameterSource.DEFAULT:
            return "default"
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else "argument"


def _place(error: click.BadParameter) -> None:
    if error.ctx is None or error.param is None or error.param.name is None:
        return
    source = error.ctx.get_parameter_source(error.param.name)
    if source in {ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP}:
        where = _origin(error.ctx, error.param, source)
        name = key_of(error.param) if source is ParameterSource.DEFAULT_MAP else where
        more = f"{where}: " if source is ParameterSource.DEFAULT_MAP else ""
        error.param_hint = f"{more}{name}"


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - whatever TOML has
    """The same; of a URL neither the password nor what its query says, where passwords also are."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    before, mark, query = _SECRET_IN_URL.sub(rf"\1:{_HIDDEN}@", value).partition("?")
    kept = [f"{each.partition('=')[0]}={_HIDDEN}" for each in query.split("&")] if mark else []
    return before + mark + "&".join(kept)


def _toml(value: object) -> str:
    if isinstance(value, str):
        printable = value.encode("utf-8", "replace").decode()
        return json.dumps(printable, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return json.dumps(value)


def _config_option(envvar: str, prog: str) -> Callable[[Callable[..., object]], Any]:
    def keep(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
        if value is not None:
            ctx.meta[_FILE] = value

    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar=envvar,
        metavar="FILE",
        expose_value=False,
        callback=keep,
        help="Read settings of the commands from this file in TOML.  "
        f"[default: $XDG_CONFIG_HOME/veracruz/{prog}.toml, or /etc/veracruz/{prog}.toml]",
    )

"""Write the reference of each service's settings from the options of its command.

python tools/configuration.py docs/reference
"""

import logging
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click

from veracruz_shells.option_names import names_of
from veracruz_shells.settings import ServiceCommand, ServiceGroup
from veracruz_shells.settings_file import settings_of

SERVICES = ("sinaloa", "sonora", "tabasco")
_HEAD = """# Configuration of {name}

`make commands` writes this page.

Every setting of `{name} serve` can be given on the command line, by the environment, or in a
file; the first of these counts, then the default. `{name} serve --print-config` prints what
holds and where each value comes from, as a file that `--config` takes; of a URL it shows
neither the password nor what stands after `?`. With `--json` it prints one object.

## The file

`--config FILE`, before the command or after it, or `{upper}_CONFIG`; otherwise
`$XDG_CONFIG_HOME/veracruz/{name}.toml` (`~/.config/veracruz/{name}.toml`), or if that is not
there `/etc/veracruz/{name}.toml`. One file is read, in TOML of at most 64 KiB:

```toml
{example}
```

What stands above all tables is of every command that has such an option; what stands under
`[serve]`, of that command, and goes first. Other commands have tables too, a command in a group
one such as `[group.command]`. Files are looked for beside the file; `~` is the home folder.

A key that no command has, a value of another type, and a file that cannot be read are errors,
also for commands that need none of it; so is a name in the environment that begins with
`{upper}_SERVE_` and is not in the table. An empty variable counts as unset. Secrets stand in
files of their own, which settings name.

## The log

It goes to standard error. With `log_format = "json"` every line is an object with `time`,
`level`, `logger` and `message`, also the line that says it is ready, a warning and the error it
ends with (`error`). What a line is about stands in fields of it, behind the line in text:
`peer`, `session`, `isolate`, `policy`, `bytes_in`, `bytes_out`, `duration_s`, `outcome`, those
that are known. No secret is in it.

## The settings

| Key | Option | Environment | Value | Default | |
|---|---|---|---|---|---|
{rows}
"""
_EXAMPLES = {
    "sinaloa": 'log_format = "json"\n\n[serve]\nlisten = "0.0.0.0:3020"\nmax_sessions = 128',
    "sonora": 'state = "/var/lib/sonora"\n\n[serve]\ntabasco = "tabasco.example:3010"\n'
    'bridge_group = "bridges"\nlog_format = "json"',
    "tabasco": 'state = "/var/lib/tabasco"\ndatabase = "postgresql://tabasco@db.example/tabasco"\n\n'
    '[serve]\nlisten = "0.0.0.0:3010"\ntrust_root = ["roots/north.pem", "roots/south.pem"]',
}  # fmt: skip


def page(name: str) -> str:
    """The page of one service."""
    (script,) = entry_points(group="console_scripts", name=name)
    group = script.load()
    assert isinstance(group, ServiceGroup)
    context = group.make_context(name, [], resilient_parsing=True)
    command = group.get_command(context, "serve")
    assert isinstance(command, ServiceCommand)
    inside = click.Context(command, context, info_name="serve")
    rows = [_row(key, each, inside) for key, each in settings_of(command).items()]
    return _HEAD.format(
        name=name, upper=name.upper(), example=_EXAMPLES[name], rows="\n".join(rows)
    )


def _row(key: str, parameter: click.Parameter, ctx: click.Context) -> str:
    names = names_of(parameter, ctx)
    option, default, told = f"argument `{parameter.name}`", "", ""
    value = _value(parameter)
    if isinstance(parameter, click.Option):
        option = f"`{max(parameter.opts, key=len)}`"
        default = str(parameter.get_help_extra(ctx).get("default", ""))
        told, _, said = (parameter.help or "").partition("[default: ")
        default = default or said.rstrip("]")
    cells = [f"`{key}`", option, ", ".join(f"`{each}`" for each in names), value, default, told]
    return "| " + " | ".join(each.strip().replace("|", "\\|") for each in cells) + " |"


def _value(parameter: click.Parameter) -> str:
    match parameter.type:
        case click.types.BoolParamType():
            return "true or false"
        case click.IntRange(min=low, max=high):
            return f"integer, {low} or more" if high is None else f"integer, {low} to {high}"
        case click.types.FloatParamType():
            return "number"
        case click.types.IntParamType():
            return "integer"
        case click.Choice(choices=choices):
            word = ", ".join(f'"{each}"' for each in choices)
        case click.Path():
            word = "file or folder"
        case _:
            word = f"string, {parameter.metavar}" if parameter.metavar else "string"
    return f"array of {word}" if parameter.multiple else word


if __name__ == "__main__":
    logging.disable()
    for service in SERVICES:
        Path(sys.argv[1], f"{service}-configuration.md").write_text(page(service))

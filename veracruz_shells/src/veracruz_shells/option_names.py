"""What an option is called in the environment and in files: as on the command line."""

import os
from collections.abc import Iterator

import click

__all__ = ["NamedOption", "key_of", "names_of"]


class NamedOption(click.Option):
    """An option whose parameter has another name: the environment gives it under the option's."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """What the environment says."""
        names = names_of(self, ctx)
        return next((value for name in names if (value := os.environ.get(name))), None)


def key_of(parameter: click.Parameter) -> str:
    """What a parameter is called in a file: `max_sessions` is `--max-sessions`."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len).lstrip("-").replace("-", "_")
    assert parameter.name is not None
    return parameter.name


def names_of(parameter: click.Parameter, ctx: click.Context) -> list[str]:
    """Under which names the environment gives a parameter; the first that is set counts."""
    return [*_names(parameter, ctx.auto_envvar_prefix)]


def _names(parameter: click.Parameter, prefix: str | None) -> Iterator[str]:
    own = parameter.envvar
    yield from [own] if isinstance(own, str) else own or []
    if prefix and isinstance(parameter, click.Option) and parameter.allow_from_autoenv:
        name = key_of(parameter) if isinstance(parameter, NamedOption) else parameter.name
        yield f"{prefix}_{name}".upper()

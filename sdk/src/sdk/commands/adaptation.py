"""The commands `adapt` and `build-adapter`: programs that speak WASI 0.1."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

import tlaxcala
from sdk import adaptation
from sdk.adaptation.adapter import check_adapter, write_adapter
from sdk.commands.encoding import force_option
from veracruz_shells.console import emit, json_option, note, read_file, write_new_file
from veracruz_utils.digest import Digest

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_MOST_MODULE_BYTES: Final = 256 * 1024 * 1024


class _VariableParameter(click.ParamType[tuple[str, str]]):
    name = "variable"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        key, equals, content = str(value).partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return key, content


@click.command("adapt")
@click.option("--arg", "arguments", metavar="TEXT", multiple=True,
              help="An argument that it finds after its name; repeat for more.")  # fmt: skip
@click.option("--env", "environment", metavar="NAME=VALUE", type=_VariableParameter(),
              multiple=True,
              help="A variable of its environment; repeat for more.")  # fmt: skip
@click.option("--clock", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
              default="2000-01-01T00:00:00Z", show_default=True,
              help="What its clocks show when it begins.")  # fmt: skip
@force_option
@click.argument("program", metavar="PROGRAM.wasm", type=_FILE)
@click.argument("target", metavar="OUT.wasm", type=_FILE)
@json_option
def adapt(
    *,
    arguments: tuple[str, ...],
    environment: tuple[tuple[str, str], ...],
    clock: datetime,
    force: bool,
    program: Path,
    target: Path,
    as_json: bool,
) -> None:
    """Make a program of Veracruz of one that speaks WASI 0.1, and print its digest.

    PROGRAM.wasm is what a toolchain built for wasm32-wasip1 (GOOS=wasip1, wasm32-wasi). It is
    linked with an adapter, which answers WASI by Veracruz's host calls: standard input and
    /input/0 are the first input, /input/1 the second; standard output is the result, or /output
    where the program makes it. Arguments, environment and clock become part of the program.
    """
    found = read_file(program, limit=_MOST_MODULE_BYTES, what="module")
    module = adaptation.adapt(
        found,
        arguments=arguments,
        environment=dict(environment),
        clock=int(clock.replace(tzinfo=UTC).timestamp()),
    )
    write_new_file(target, module, mode=0o644, force=force)
    if not tlaxcala.check(module).certified:
        note(f"veracruz-sdk: warning: {target} is not certified: see `tlaxcala check {target}`")
    digest = Digest.of(module)
    emit(
        {"module": target, "digest": digest, "size": len(module)},
        f"{digest}  {target}",
        as_json=as_json,
    )


@click.command("build-adapter")
@click.option("--check", is_flag=True, help="Write nothing; compare with the shipped adapter.")
@json_option
def build_adapter(*, check: bool, as_json: bool) -> None:
    """Build the adapter that `adapt` links programs with, from its source in C.

    The same source gives the same bytes everywhere: with --check everybody can see that the
    shipped adapter is built from it.
    """
    digest = check_adapter() if check else write_adapter()
    emit({"adapter": digest}, f"{digest}  adapter", as_json=as_json)

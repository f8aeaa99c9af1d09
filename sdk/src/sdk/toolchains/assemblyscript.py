"""Builds guests in AssemblyScript, which call the host themselves, with the compiler of npm.

The output depends on the sources and on the versions in package-lock.json, and on nothing else.
"""

import shutil
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from sdk.toolchains.found import FoundTool, WantedTool
from sdk.toolchains.made import Made, Tool
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import refusal, run_tool

NODE: Final = WantedTool(
    name="Node.js",
    command="node",
    variable="VERACRUZ_NODE",
    ask=("--version",),
    least=(20, 0),
    remedy="apt install nodejs npm (Debian 13 or later), or from nodejs.org",
)
ASC: Final = WantedTool(
    name="the AssemblyScript compiler",
    command="asc",
    variable="VERACRUZ_ASC",
    ask=("--version",),
    least=(0, 28),
    remedy="run `npm ci` in the program's folder",
)
LIBRARY: Final = "veracruz"
"""The folder of the guest library, in a program's folder."""
BUILD_SECONDS: Final = 300
FLAGS: Final = (
    "-O3",
    "--noColors",
    # What stands outside functions runs before main: a start section is refused.
    "--exportStart", "_initialize",
    # Not a host call: a failed assertion is a trap.
    "--use", "abort=",
)  # fmt: skip
DEBUG_FLAGS: Final = (
    "-O3",
    "--noColors",
    "--exportStart", "_initialize",
    "--debug",
    "--use", f"abort={LIBRARY}/message/abort",
)  # fmt: skip


def compile_assemblyscript(folder: Path, *, debug: bool = False) -> Made:
    """The module that main.ts in a folder builds.

    With `debug` it says to its author what failed, and keeps its functions' names.

    Raises:
        BuildError: the compiler or what runs it is missing or too old, or it refuses the program.
    """
    folder = folder.resolve()
    node = NODE.find()
    asc = ASC.find(folder / "node_modules/.bin/asc")
    entries = ["main.ts", f"{LIBRARY}/debug.ts"] if debug else ["main.ts"]
    with build_folder() as scratch:
        output = scratch / "program.wasm"
        flags = DEBUG_FLAGS if debug else FLAGS
        ran = run_tool(
            asc.command([*entries, *flags, "--outFile", str(output)]),
            folder,
            name="asc",
            timeout_s=BUILD_SECONDS,
        )
        if not ran.succeeded:
            raise refusal("asc", folder, ran.words)
        if not output.is_file():
            raise BuildError(f"asc wrote no module for {folder}:\n{ran.words}")
        code = output.read_bytes()
    tools = (_tool("asc", asc), _tool("node", node))
    return Made(code, "AssemblyScript", tools, "wasm32", (*entries, *flags), debug=debug)


def add_library(folder: Path, *, source: Path) -> None:
    """Copies the guest library into a program's folder; `source` is the SDK's folder of it."""
    shutil.copytree(source / LIBRARY, folder / LIBRARY)


def _tool(name: str, found: FoundTool) -> Tool:
    return Tool.of(name, found.version, Path(found.path).resolve())

"""Builds guests in Go, for WASI: what it builds is to be adapted to the host calls.

The output depends on the sources, on go.mod and go.sum and on the version of Go, and on nothing
else: no path, no version control, no cache. Modules come from where `go` is told to take them.
"""

import os
from pathlib import Path
from typing import Final

from sdk.toolchains.found import WantedTool
from sdk.toolchains.made import Made, Tool
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import refusal, run_tool

GO: Final = WantedTool(
    name="Go",
    command="go",
    variable="VERACRUZ_GO",
    ask=("version",),
    least=(1, 21),
    remedy=(
        "Go 1.21 or later builds for WASI, from go.dev/dl, or by your distribution's package "
        "golang (Debian 13 or later)"
    ),
)
TARGET: Final = "wasip1/wasm"
FLAGS: Final = ("-trimpath", "-buildvcs=false")
BUILD_SECONDS: Final = 600  # the first build compiles Go's own library
_RELEASE: Final = "-ldflags=-s -w -buildid="
_DEBUG: Final = "-ldflags=-w -buildid="
# What would change the bytes from outside the folder; a proxy of modules changes none.
_FIXED: Final = {
    "CGO_ENABLED": "0",
    "GO111MODULE": "on",
    "GOARCH": "wasm",
    "GOFLAGS": "",
    "GOOS": "wasip1",
    "GOTOOLCHAIN": "local",
    "GOWASM": "",
    "GOWORK": "off",
    "GOEXPERIMENT": "",
}


def compile_go(folder: Path, *, debug: bool = False) -> Made:
    """The module for WASI that the Go module in a folder builds; with `debug` it has names.

    Raises:
        BuildError: Go is missing or too old, or refuses the program.
    """
    go = GO.find()
    with build_folder() as scratch:
        output = scratch / "program.wasm"
        flags = [*FLAGS, _DEBUG if debug else _RELEASE]
        ran = run_tool(
            go.command(["build", *flags, "-o", str(output), "."]),
            folder,
            name="go",
            timeout_s=BUILD_SECONDS,
            environment={**os.environ, **_FIXED},
        )
        if not ran.succeeded:
            raise refusal("go", folder, ran.words)
        code = output.read_bytes()
    tool = Tool.of("go", go.version, Path(go.path).resolve())
    return Made(code, "Go", (tool,), TARGET, tuple(flags), debug=debug)

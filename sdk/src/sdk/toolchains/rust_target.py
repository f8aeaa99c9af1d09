"""The target that the original Veracruz had, `wasm32-arm-veracruz`, for a current Rust.

It is the compiler's own `wasm32-unknown-unknown` but for WebAssembly 1.0 alone, `target_vendor`,
and functions that nobody defines, which are imported. No compiler ships a standard library for it:
cargo builds it along, from the compiler's source.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from sdk.toolchains.rust_found import TARGET, WASI_TARGET, Rust
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.tool import refusal, run_tool

VERACRUZ_TARGET: Final = "wasm32-arm-veracruz"
TARGETS: Final = (TARGET, VERACRUZ_TARGET)
LEAST_MINOR: Final = 95
"""Of the first Rust that builds for it."""
_ASK_SECONDS: Final = 60
_BUILT_ALONG: Final = ("-Zjson-target-spec", "-Zbuild-std=std,panic_abort")


@contextmanager
def for_target(target: str, rust: Rust) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """What cargo is told of a target: its name or description, options, and the environment.

    Raises:
        BuildError: the compiler does not build for it.
    """
    if target in {TARGET, WASI_TARGET}:
        yield rust.called(target), ["--offline"], {}
        return
    _check(rust)
    with build_folder() as scratch:
        path = scratch / f"{VERACRUZ_TARGET}.json"
        path.write_text(json.dumps(_description(rust), indent=2, sort_keys=True))
        # The standard library's own crates are fetched by the build.
        yield str(path), [*_BUILT_ALONG], {"RUSTC_BOOTSTRAP": "1"}


def _check(rust: Rust) -> None:
    if rust.minor < LEAST_MINOR:
        raise BuildError(
            f"{rust.path} is version {rust.version}: the target {VERACRUZ_TARGET} wants "
            f"1.{LEAST_MINOR} or later; {TARGET} does without"
        )
    source = rust.sysroot / "lib/rustlib/src/rust/library"
    if not source.joinpath("Cargo.lock").is_file():
        raise BuildError(
            f"{rust.path} lacks the source of its standard library, which the target "
            f"{VERACRUZ_TARGET} is built with: `rustup component add rust-src`"
        )


def _description(rust: Rust) -> dict[str, object]:
    command = [str(rust.path), "-Zunstable-options", "--print", "target-spec-json"]
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    ran = run_tool(
        [*command, "--target", TARGET],
        Path(),
        name="the compiler",
        timeout_s=_ASK_SECONDS,
        environment=environment,
    )
    if not ran.succeeded:
        raise refusal("the compiler", VERACRUZ_TARGET, ran.words)
    said: dict[str, object] = json.loads(ran.output)
    said.pop("metadata", None)
    arguments = said["pre-link-args"]
    if not isinstance(arguments, dict):
        raise BuildError(f"{rust.path} describes {TARGET} in another way than is known")
    linked = {flavor: [*args, "--allow-undefined"] for flavor, args in arguments.items()}
    return said | {"cpu": "mvp", "vendor": "arm", "pre-link-args": linked}

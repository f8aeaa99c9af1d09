"""Crates that everybody uses, from the public registry: in versions for the oldest Rust that
builds programs, and with the newest for a current one. Run by `make toolchains`.
"""

import os
import shutil
from pathlib import Path

import pytest

import tlaxcala
from sdk.errors import SourceUnavailableError
from sdk.toolchains.cargo import add_libraries, compile_cargo
from sdk.toolchains.sources import source_folder
from support.rust_toolchain import found_rust

RUST = found_rust()
CURRENT_MINOR = 85
"""From the edition of 2024 on the newest crates build."""
PACKAGE = Path(__file__).parents[1] / "guests" / "table"
TABLE = b"group,amount\na,1\nb,2\na,0.5\n"

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif("VERACRUZ_TOOLCHAINS" not in os.environ, reason="see `make toolchains`"),
    pytest.mark.skipif(RUST is None, reason="there is no Rust for WebAssembly"),
]


@pytest.mark.parametrize("locked", [True, False])
def test_a_program_with_csv_and_serde_builds_twice_alike_and_runs(run_module, tmp_path, locked):
    if not locked and RUST.minor < CURRENT_MINOR:
        pytest.skip(f"the newest crates want a newer Rust than {RUST.version}")
    codes = set()
    for name in ("one", "another place"):
        folder = tmp_path / name
        shutil.copytree(PACKAGE, folder)
        if not locked:
            folder.joinpath("Cargo.lock").unlink()
        add_libraries(folder, libraries=source_folder("c").parent)
        try:
            codes.add(compile_cargo(folder).code)
        except SourceUnavailableError as error:
            pytest.skip(str(error))
    (code,) = codes
    assert tlaxcala.check(code).certified
    assert str(tmp_path).encode() not in code
    outcome = run_module(code, TABLE)
    assert outcome.return_code == 0
    said = b'[{"group":"a","rows":2,"sum":1.5},{"group":"b","rows":1,"sum":2.0}]'
    assert outcome.output == said
    assert run_module(code, b"group,amount\na,much\n").return_code == -4

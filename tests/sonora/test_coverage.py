from click.testing import CliRunner

from sonora.cli import main
from sonora.coverage import coverage_of


def test_what_is_covered_is_told_by_kind():
    names = ["interpreter", "native:libc.so.6", "native:libm.so.6", "module:json"]
    coverage = coverage_of([*names, "module:cryptography", "module:cryptography.x509", "module:b"])
    assert coverage.as_json() == {
        "interpreter": True,
        "modules": 4,
        "native_libraries": 2,
        "packages": ["b", "cryptography"],
    }
    assert coverage.as_text() == (
        "covers the interpreter, 2 native libraries and 4 modules:"
        " the standard library's, and those of b, cryptography"
    )


def test_the_command_prints_the_value_alone_and_says_beside_it_what_it_covers():
    done = CliRunner().invoke(main, ["measure"])
    assert len(done.stdout) == 65
    assert "covers the interpreter" in done.stderr
    assert "execution_engine" in done.stderr

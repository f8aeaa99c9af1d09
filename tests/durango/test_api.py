"""What the package offers is what it says it offers."""

import ast
import subprocess
import sys
from pathlib import Path

import durango


def test_everything_that_is_offered_is_there_and_sorted():
    tree = ast.parse(Path(durango.__file__).read_text())
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(durango.__all__) == imported == set(durango._HOMES)
    assert durango.__all__ == sorted(durango.__all__, key=lambda name: (name.islower(), name))
    for name in durango.__all__:
        assert getattr(durango, name).__module__ == durango._HOMES[name]
    assert set(durango.__all__) <= set(dir(durango))


def test_nothing_is_loaded_before_it_is_asked_for():
    script = "import sys, durango.cli; print(*{'grpc', 'OpenSSL', 'msgspec'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""

"""What the package offers is what it says it offers."""

import ast
from pathlib import Path

import durango


def test_everything_imported_is_offered_and_sorted():
    tree = ast.parse(Path(durango.__file__).read_text())
    imported = {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert set(durango.__all__) == imported
    assert durango.__all__ == sorted(durango.__all__, key=lambda name: (name.islower(), name))

"""An archive of a tree: what Linux would unpack of it, and nothing of when or where it was made."""

import shutil
import stat
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import MachineError
from sonora_machine.image.cpio import write_cpio
from sonora_machine.image.tree import Tree
from support.cpio_archives import unpacked

NAMES = st.text("abc", min_size=1, max_size=3)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(PATHS, st.binary(max_size=9), max_size=6))
def test_what_is_written_is_what_is_unpacked(files):
    tree, kept = Tree(), {}
    for path, data in files.items():
        try:
            tree.file(path, data)
        except MachineError:
            continue  # a file where another path has a folder
        kept[path] = data
    found = unpacked(write_cpio(tree))
    assert {path: row[1] for path, row in found.items() if stat.S_ISREG(row[0])} == kept


def test_folders_come_before_what_is_in_them():
    tree = Tree()
    tree.file("usr/bin/python", b"", executable=True)
    tree.link("bin", "usr/bin")
    tree.character_device("dev/console", 5, 1, permissions=0o600)
    found = unpacked(write_cpio(tree))
    assert [*found] == ["bin", "dev", "dev/console", "usr", "usr/bin", "usr/bin/python"]
    assert found["usr/bin/python"][0] == 0o100755
    assert found["bin"] == (0o120777, b"usr/bin", (0, 0))
    assert found["dev/console"] == (0o020600, b"", (5, 1))


def test_the_order_of_adding_makes_no_difference():
    one, other = Tree(), Tree()
    for tree, names in ((one, "abc"), (other, "cba")):
        for name in names:
            tree.file(name, name.encode())
    assert write_cpio(one) == write_cpio(other)


@pytest.mark.skipif(shutil.which("cpio") is None, reason="there is no cpio here")
def test_cpio_unpacks_it(tmp_path):
    tree = Tree()
    tree.file("a/b", b"content")
    tree.link("c", "a/b")
    subprocess.run(
        ["cpio", "-id"], input=write_cpio(tree), cwd=tmp_path, check=True, capture_output=True
    )
    assert (tmp_path / "c").read_bytes() == b"content"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/"])
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(MachineError, match="no path of a machine"):
        Tree().file(path, b"")


def test_two_packages_may_bring_the_same_file_and_not_two_of_one_name():
    tree = Tree()
    tree.file("a", b"1")
    tree.file("a", b"1")
    with pytest.raises(MachineError, match="two packages bring a, and not the same"):
        tree.file("a", b"2")
    with pytest.raises(MachineError, match="a/b is to lie in a, which is no folder"):
        tree.file("a/b", b"")

"""What a machine takes of packages: what runs there, and neither a shell nor words for people."""

import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonora_machine.errors import MachineError
from sonora_machine.image import archives, modules
from sonora_machine.image.archives import PACKAGES, add_debian, add_wheel, read_debian
from sonora_machine.image.modules import KernelModules
from sonora_machine.image.tree import Tree
from support.debian_packages import ar, deb, kernel_module, wheel

GOOD = deb({"usr/lib/a": b"1", "usr/lib/b": "a"})


def paths(tree):
    return [path for path, _ in tree.files()]


def test_libraries_come_along_and_programs_do_not():
    tree = Tree()
    files = ["usr/lib/x86_64-linux-gnu/libc.so.6", "usr/bin/sh", "usr/sbin/sshd", "etc/shadow",
             "usr/share/doc/x", "usr/bin/python3.13", "var/lib/x", "bin/sh", "sbin/init",
             "usr/lib/python3.13/sqlite3/dump.py", "usr/lib/python3.13/json/decoder.py",
             "usr/lib/systemd/system/ssh.service"]  # fmt: skip
    add_debian(tree, "made", deb(dict.fromkeys(files, b"x")))
    assert paths(tree) == [
        "usr/bin/python3.13",
        "usr/lib/python3.13/json/decoder.py",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
    ]


def test_a_link_stays_a_link():
    tree = Tree()
    add_debian(tree, "made", GOOD)
    assert dict(tree)["usr/lib/b"].data == b"a"


def test_a_package_that_leads_out_of_the_machine_is_refused():
    with pytest.raises(MachineError, match="no path of a machine"):
        add_debian(Tree(), "made", deb({"usr/lib/../../../etc/x": b""}))


@given(st.binary(max_size=300) | st.integers(0, len(GOOD) - 80).map(lambda end: GOOD[:end]))
def test_what_is_no_package_is_refused(data):
    with pytest.raises(MachineError, match="made is no package of Debian"):
        list(read_debian("made", data, wanted=lambda _: True))


def test_an_archive_without_data_is_refused():
    with pytest.raises(MachineError, match="no package of Debian"):
        list(read_debian("x", ar({"debian-binary": b"2.0\n"}), wanted=lambda _: True))


def test_of_a_wheel_come_modules_and_what_describes_it():
    tree = Tree()
    files = {
        "a/__init__.py": b"", "a-1.data/scripts/a": b"", "a-1.data/data/share/man/a.1": b"",
        "a-1.data/purelib/b.py": b"", "a-1.dist-info/RECORD": b"", "a-1.dist-info/METADATA": b"",
    }  # fmt: skip
    add_wheel(tree, "a", wheel(files))
    assert [path.removeprefix(PACKAGES) for path in paths(tree)] == [
        "a-1.dist-info/METADATA", "a/__init__.py", "b.py",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["x.data", "a.dist-info"])
def test_a_file_at_a_wheels_root_is_a_file_whatever_it_is_called(name):
    tree = Tree()
    add_wheel(tree, "a", wheel({name: b"x"}))
    assert paths(tree) == [PACKAGES + name]


@pytest.mark.parametrize(
    "name", [".", "/a", "../a", "a//b", "a\nb", "a\x1b[2J", "a-1.data/purelib", "a\u202eb"]
)
def test_a_wheel_with_a_file_of_no_plain_name_is_refused(name):
    with pytest.raises(MachineError, match="no path of a machine"):
        add_wheel(Tree(), "a", wheel({name: b"x"}))


def test_what_unpacks_to_more_than_a_package_may_is_refused(monkeypatch):
    monkeypatch.setattr(archives, "_MAX_UNPACKED", 1000)
    files = {"usr/lib/a": bytes(600), "usr/lib/b": bytes(401)}
    with pytest.raises(MachineError, match="made is no wheel: it unpacks to more than 1000 bytes"):
        add_wheel(Tree(), "made", wheel(files))
    with pytest.raises(MachineError, match="made is no package of Debian: it unpacks to more"):
        add_debian(Tree(), "made", deb(files))


@given(st.binary(max_size=300))
def test_what_is_no_wheel_is_refused(data):
    with pytest.raises(MachineError, match="made is no wheel"):
        add_wheel(Tree(), "made", data)


def test_a_module_is_loaded_behind_those_that_it_needs():
    files = {
        "kernel/net/virtio_net.ko.xz": kernel_module("net-failover", "virtio"),
        "kernel/net/net_failover.ko.xz": kernel_module("failover"),
        "kernel/net/failover.ko.xz": kernel_module(),
    }
    found = KernelModules(files, "kernel/drivers/virtio/virtio.ko\n")
    names = [name for name, _ in found.ordered(["virtio_net", "failover"])]
    assert names == ["failover", "net_failover", "virtio_net"]


def test_a_module_that_the_kernel_lacks_is_named():
    found = KernelModules({"a.ko.xz": kernel_module("b")}, "")
    with pytest.raises(MachineError, match="the kernel has no module b"):
        list(found.ordered(["a"]))


def test_modules_that_need_each_other_end_the_search():
    files = {"a.ko.xz": kernel_module("b"), "b.ko.xz": kernel_module("a")}
    assert [name for name, _ in KernelModules(files, "").ordered(["a"])] == ["b", "a"]


@pytest.mark.parametrize(
    "data",
    [b"not xz", b"", kernel_module()[:-9], lzma.compress(b"\0depends=\xff\0")],
)
def test_a_module_that_cannot_be_read_is_named(data):
    with pytest.raises(MachineError, match="module a cannot be read"):
        list(KernelModules({"a.ko.xz": data}, "").ordered(["a"]))


def test_a_module_that_unpacks_to_more_than_one_may_is_refused(monkeypatch):
    monkeypatch.setattr(modules, "_MAX_MODULE", 1000)
    with pytest.raises(MachineError, match="module a cannot be read: it ends too early, or is of"):
        list(KernelModules({"a.ko.xz": lzma.compress(bytes(1001))}, "").ordered(["a"]))

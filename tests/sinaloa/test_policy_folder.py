"""What is found in a folder of policies, and what is not found there any more."""

import pytest

from sinaloa.policy_folder import PolicyFolder
from support.served_policies import policy_text
from veracruz_utils.digest import Digest


@pytest.fixture
def put(tmp_path):
    """Write a policy, told apart by the port it names; its digest."""

    def put(name: str, port: int) -> Digest:
        text = policy_text(sinaloa=f"127.0.0.1:{port}")
        (tmp_path / "new").write_bytes(text)
        (tmp_path / "new").replace(tmp_path / name)
        return Digest.of(text)

    return put


@pytest.fixture
def folder(tmp_path):
    return PolicyFolder(tmp_path)


def added(changes) -> list[Digest]:
    return [each.digest for each in changes.added.values()]


def test_policies_are_found_once(folder, put):
    digests = {put("a.json", 1), put("b.json", 2)}
    put("c.txt", 3)
    assert set(added(folder.look())) == digests
    again = folder.look()
    assert (again.added, again.removed, again.complaints) == ({}, [], [])


def test_a_bad_file_is_named_once_and_ends_nothing(folder, put, tmp_path):
    digest = put("a.json", 1)
    (tmp_path / "b.json").write_bytes(b"{")
    changes = folder.look()
    assert added(changes) == [digest]
    (complaint,) = changes.complaints
    assert complaint.startswith(f"policy {tmp_path}/b.json: is not JSON")
    (tmp_path / "a.json").write_bytes(b"half of it")
    changes = folder.look()
    assert len(changes.complaints) == 1
    assert changes.removed == []
    assert folder.look().complaints == []


def test_a_bad_file_that_is_mended_is_served(folder, put, tmp_path):
    (tmp_path / "a.json").write_bytes(b"{")
    folder.look()
    assert added(folder.look()) == []
    digest = put("a.json", 1)
    assert added(folder.look()) == [digest]


def test_a_file_that_is_missing_twice_is_gone(folder, put, tmp_path):
    digest = put("a.json", 1)
    folder.look()
    (tmp_path / "a.json").unlink()
    assert folder.look().removed == []
    assert folder.look().removed == [digest]
    assert folder.look().removed == []


def test_a_file_that_holds_another_policy_ends_the_one_before(folder, put):
    before = put("a.json", 1)
    folder.look()
    after = put("a.json", 2)
    changes = folder.look()
    assert (added(changes), changes.removed) == ([after], [before])


def test_a_policy_in_two_files_is_one_and_gone_with_the_last(folder, put, tmp_path):
    digest = put("a.json", 1)
    (tmp_path / "b.json").write_bytes((tmp_path / "a.json").read_bytes())
    assert added(folder.look()) == [digest]
    (tmp_path / "a.json").unlink()
    assert [folder.look().removed for _ in range(3)] == [[], [], []]


def test_a_folder_that_cannot_be_read_is_named_once_and_ends_nothing(folder, put, tmp_path):
    put("a.json", 1)
    folder.look()
    hidden = tmp_path.rename(tmp_path.with_name("hidden"))
    assert folder.look().complaints == [f"{tmp_path}: No such file or directory"]
    changes = folder.look()
    assert (changes.complaints, changes.removed) == ([], [])
    hidden.rename(tmp_path)
    assert folder.look().removed == []


def test_a_policy_that_could_not_be_served_is_not_missed(folder, put, tmp_path):
    digest = put("a.json", 1)
    folder.look()
    folder.refuse(digest)
    (tmp_path / "a.json").unlink()
    assert [folder.look().removed for _ in range(3)] == [[], [], []]

"""What `sonora serve` refuses about users, before it opens or starts anything."""

import os

import pytest

from sonora.evidence.software import SoftwareRoot
from support.stack import run
from support.users import BRIDGE, SONORA, needs_root, open_folder


@pytest.fixture
def state():
    with open_folder() as folder:
        SoftwareRoot.create(folder / "state")
        yield folder / "state"
        assert not (folder / "state/sonora.sock").exists()


def test_a_bridge_is_one_user_or_one_group(state):
    options = ["--bridge-user", BRIDGE, "--bridge-group", BRIDGE]
    run("sonora", "serve", "--state", state, *options).refused(
        2, "give --bridge-user or --bridge-group, not both"
    )


@pytest.mark.parametrize("option", ["--user", "--bridge-user", "--bridge-group"])
def test_who_is_not_there_is_named(state, option):
    run("sonora", "serve", "--state", state, option, "no-such-one").refused(
        1, "'no-such-one'", "make one: "
    )


@pytest.mark.parametrize("option", ["--user", "--bridge-user"])
def test_a_number_without_an_account_does_not_get_the_group_of_that_number(state, option):
    run("sonora", "serve", "--state", state, option, SONORA).refused(
        1, f"there is no user '{SONORA}'", f"or give its group as well: {SONORA}:GID"
    )


def test_the_folder_of_the_keys_is_never_opened_for_a_bridge(state):
    run("sonora", "serve", "--state", state, "--bridge-user", f"{BRIDGE}:{BRIDGE}").refused(
        1, f"{state} is closed to it. Choose another --socket, in a folder without keys"
    )
    assert state.stat().st_mode & 0o777 == 0o700


@needs_root
def test_keys_that_are_roots_own_are_not_used_by_another_user(state):
    run("sonora", "serve", "--state", state, "--user", f"{SONORA}:{SONORA}").refused(
        1, f"{state} belongs to root", f"chown -R {SONORA}:{SONORA} {state}"
    )


@pytest.mark.skipif(os.getuid() == 0, reason="root can become anybody")
def test_only_root_becomes_somebody_else(state):
    run("sonora", "serve", "--state", state, "--user", "root").refused(1, "belongs to", "chown")

"""The power button: pressed, let go, another key, or none at all."""

import struct

import pytest

from sonora_machine.guest import power_button

PRESSED = struct.pack("<qqHHi", 1, 2, 1, 116, 1)
LET_GO = struct.pack("<qqHHi", 1, 2, 1, 116, 0)
OTHER = struct.pack("<qqHHi", 1, 2, 1, 30, 1)


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(power_button, "_INPUTS", tmp_path)
    return tmp_path


def test_it_is_heard_among_other_events(inputs):
    (inputs / "event0").write_bytes(OTHER + LET_GO + PRESSED)
    assert power_button.wait_for_power_button()


def test_other_events_are_not_it(inputs):
    (inputs / "event0").write_bytes(OTHER + LET_GO)
    assert not power_button.wait_for_power_button()


def test_a_machine_may_have_none(inputs):
    (inputs / "mouse0").touch()
    assert not power_button.wait_for_power_button()

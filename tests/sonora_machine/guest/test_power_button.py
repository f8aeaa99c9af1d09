"""The power button: pressed, let go, another key, or none at all."""

import struct

import pytest

from sonora_machine.guest import power_button

PRESSED = struct.pack("<qqHHi", 1, 2, 1, 116, 1)
LET_GO = struct.pack("<qqHHi", 1, 2, 1, 116, 0)
OTHER = struct.pack("<qqHHi", 1, 2, 1, 30, 1)


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Adds an input device: what the kernel calls it, and its events."""
    monkeypatch.setattr(power_button, "_INPUTS", tmp_path / "dev")
    monkeypatch.setattr(power_button, "_NAMES", tmp_path / "sys")
    (tmp_path / "dev").mkdir()

    def add(number: int, name: str, events: bytes):
        (tmp_path / "dev" / f"event{number}").write_bytes(events)
        folder = tmp_path / f"sys/event{number}/device"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")

    return add


def test_it_is_heard_among_other_events(inputs):
    inputs(0, "AT keyboard", LET_GO)
    inputs(1, "Power Button", OTHER + LET_GO + PRESSED)
    assert power_button.wait_for_power_button()


def test_other_events_are_not_it(inputs):
    inputs(0, "Power Button", OTHER + LET_GO)
    assert not power_button.wait_for_power_button()


def test_the_key_of_another_device_is_not_it(inputs):
    inputs(0, "AT keyboard", PRESSED)
    assert not power_button.wait_for_power_button()


def test_a_machine_may_have_none(inputs):
    assert not power_button.wait_for_power_button()

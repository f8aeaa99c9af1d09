"""What of the kernel is closed once the machine is up."""

import pytest

from sonora_machine.guest.closing import SETTINGS, close_the_kernel


@pytest.fixture
def kernel(tmp_path):
    for name in SETTINGS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("before\n")
    return tmp_path


def test_every_setting_is_written(kernel):
    said = []
    close_the_kernel(said.append, kernel)
    assert {name: (kernel / name).read_text() for name in SETTINGS} == {
        name: f"{value}\n" for name, value in SETTINGS.items()
    }
    assert said == []


def test_modules_are_the_last_for_settings_may_need_one():
    assert [*SETTINGS][-1] == "kernel/modules_disabled"


def test_a_setting_that_the_kernel_does_not_have_is_told(kernel):
    (kernel / "kernel/io_uring_disabled").unlink()
    said = []
    close_the_kernel(said.append, kernel)
    assert said == ["the kernel has no kernel/io_uring_disabled"]
    assert (kernel / "kernel/modules_disabled").read_text() == "1\n"


def test_one_that_does_not_take_its_value_is_an_error(kernel):
    (kernel / "kernel/sysrq").unlink()
    (kernel / "kernel/sysrq").mkdir()
    with pytest.raises(OSError, match="sysrq"):
        close_the_kernel(lambda _: None, kernel)

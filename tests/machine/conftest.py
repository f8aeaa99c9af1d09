"""A machine image, built and started: minutes, and gigabytes of memory.

`make machine-test` runs these tests, with QEMU, its firmware and a TPM in software from Debian.
"""

import os
from pathlib import Path

import pytest

from support.machines import needs_emulator


def pytest_collection_modifyitems(items):
    """Skip all of these by name where nobody asked for them, or they cannot be."""
    mark = needs_emulator
    if "VERACRUZ_MACHINE" not in os.environ:
        mark = pytest.mark.skip(reason="see `make machine-test`")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(mark)

"""What docs/explanation/security.md names as tests is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_is_there():
    named = set(re.findall(r"`(tests/[^`]+)`", (ROOT / "docs/explanation/security.md").read_text()))
    assert len(named) > 15
    assert [each for each in sorted(named) if not (ROOT / each).exists()] == []

"""Names of files."""

import pytest

from veracruz_utils.file_names import file_name_of


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("north", "north"),
        ("Klinikum Süd", "Klinikum-Süd"),
        ("Möbel & Söhne GmbH", "Möbel-Söhne-GmbH"),
        ("St. Mary's (north)", "St.-Mary-s-north"),
        ("Su\u0308d", "Su\u0308d"),
        ("a/../b; rm *", "a-..-b-rm"),
        ("a\u00a0b", "a-b"),
        ("& ' ( )", "identity"),
    ],
)
def test_a_name_becomes_a_file_name_that_no_shell_takes_for_anything_else(name, file):
    assert file_name_of(name) == file

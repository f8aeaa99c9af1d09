from datetime import UTC, datetime

import pytest

from veracruz_shells import quantities

AT = datetime(2026, 3, 9, 16, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "english", "german"),
    [
        (quantities.number, {0: "0", 999: "999", 2164: "2,164"}, ["0", "999", "2.164"]),
        (quantities.number, {1234567: "1,234,567"}, ["1.234.567"]),
        (quantities.size, {1: "1 byte", 0: "0 bytes"}, ["1 Byte", "0 Bytes"]),
        (
            quantities.size,
            {2164: "2,164 bytes", 1 << 20: "1 MiB", 1025 << 30: "1,025 GiB"},
            ["2.164 Bytes", "1 MiB", "1.025 GiB"],
        ),
        (quantities.decimal, {"0.25": "0.25", "1e-09": "1e-09"}, ["0,25", "1e-09"]),
        (quantities.moment, {AT: "2026-03-09T16:05:07Z"}, ["09.03.2026, 16:05:07 UTC"]),
        (
            quantities.span,
            {
                59.9: "< 1 min",
                60: "1 min",
                3599: "59 min",
                7380: "2 h 3 min",
                90000: "1 d 1 h",
                1000 * 86400: "1,000 d 0 h",
            },
            ["< 1 min", "1 min", "59 min", "2 h 3 min", "1 d 1 h", "1.000 d 0 h"],
        ),
    ],
)
def test_quantities_are_written_as_the_language_of_the_reader_has_them(given, english, german):
    assert [given(each) for each in english] == [*english.values()]
    assert [given(each, "de") for each in english] == german

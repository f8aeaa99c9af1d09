"""What cargo says of crates that are too new for it, as several versions of it have put it."""

import pytest

from sdk.toolchains.crate_age import advice_on_age


@pytest.mark.parametrize(
    "words",
    [
        "lock file version `4` was found, but this version of Cargo does not understand this lock",
        "lock file version 4 requires `-Znext-lockfile-bump`",
        "error: package `syn v2.0.119` cannot be built because it requires rustc 1.71 or newer",
        "error: rustc 1.84.0 is not supported by the following package:",
        "feature `edition2024` is required",
        "this version of Cargo is older than the `2024` edition, and only supports ...",
    ],
)
def test_crates_that_are_too_new_are_told_with_what_to_do(words):
    said = advice_on_age(f"error: failed\n\nCaused by:\n  {words}\n", "1.63.0")
    for remedy in ("1.63.0", "rustup", 'rust-version = "1.63"', "remove Cargo.lock"):
        assert remedy in said


@pytest.mark.parametrize(
    "words",
    [
        "error[E0308]: mismatched types",
        "error: checksum for `serde v1.0.228` changed between lock files",
        "error: the lock file needs to be updated but --locked was passed",
    ],
)
def test_other_complaints_are_left_alone(words):
    assert advice_on_age(words, "1.63.0") == ""

"""Programs on an interpreter's core: the core and the author's part are told apart."""

import hashlib
import json

import pytest

from execution_engine.limits import EngineLimits
from sdk.toolchains.python_core import joined
from support.cores import CORE
from tlaxcala.check import check
from tlaxcala.parts import MAX_FILES, ProgramParts
from tlaxcala.verdict import judge


def part(files):
    return json.dumps({"files": files, "main": "main"}).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_the_sources_of_an_author_are_listed_apart_from_the_core(tmp_path):
    author = part({"main.py": "def main(_): ...\n", "rows/é\x1b.py": "é"})
    (tmp_path / "program.wasm").write_bytes(joined(CORE, author))
    verdict = judge(tmp_path / "program.wasm", limits=EngineLimits(), program=None)
    value = verdict.as_json()
    assert value["parts"] == {
        "core": {"digest": sha256(CORE), "size": len(CORE)},
        "author": {
            "digest": sha256(author),
            "size": len(author),
            "file_count": 2,
            "files": [
                {"name": "main.py", "size": 17, "digest": sha256(b"def main(_): ...\n")},
                {"name": "rows/é\x1b.py", "size": 2, "digest": sha256("é".encode())},
            ],
        },
    }
    text = verdict.as_text()
    assert f"core: SHA-256 {sha256(CORE)}, {len(CORE)} bytes" in text
    assert f"  main.py: 17 bytes, SHA-256 {sha256(b'def main(_): ...' + bytes([10]))}" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "author",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"files": []}',
        b'{"files": {"main.py": 1}}',
        b'{"files": {"main.py": "\\ud800"}}',
        b"[" * 100_000,
        b'{"files": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_part_in_another_form_is_told_by_its_digest_alone(author):
    report = check(joined(CORE, author))
    assert report.certified
    assert (str(report.parts.author), report.parts.file_count) == (sha256(author), None)


def test_only_so_many_files_are_listed():
    files = {f"{index}.py": "" for index in range(MAX_FILES + 1)}
    parts = ProgramParts.of(joined(CORE, part(files)))
    assert (parts.file_count, len(parts.files)) == (MAX_FILES + 1, MAX_FILES)


@pytest.mark.parametrize("code", [CORE, b"", b"\0asm\1\0\0\0", CORE[:-1]])
def test_what_has_no_authors_part_has_no_parts(code):
    assert check(code).parts is None

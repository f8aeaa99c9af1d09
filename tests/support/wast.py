"""Reads the scripts of the WebAssembly specification's testsuite (`.wast`).

A script is a list of forms in parentheses. A form is read into a list of its parts: words as
`str`, strings as `bytes`, forms as `Form`, which also knows the source it stood in, so that modules
in the text format go to the assembler as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Part: TypeAlias = "str | bytes | Form"

_TOKEN = re.compile(
    rb"""(?P<space>[ \t\r\n]+|;;[^\n]*|\(;)"""
    rb"""|(?P<string>"(?:[^"\\]|\\.)*")"""
    rb"""|(?P<open>\()|(?P<close>\))"""
    rb"""|(?P<word>(?:[^ \t\r\n()";]|;(?!;))+)""",
    re.DOTALL,
)
_COMMENT_EDGE = re.compile(rb"\(;|;\)")
_ESCAPE = re.compile(rb"\\(?:u\{([0-9a-fA-F_]+)\}|([0-9a-fA-F]{2})|(.))", re.DOTALL)
_NAMED = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


@dataclass(frozen=True)
class Form:
    """One form in parentheses: its parts, its source and the line it begins on."""

    parts: tuple[Part, ...]
    source: bytes
    line: int

    @property
    def head(self) -> str:
        """Its first word."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""

    @property
    def rest(self) -> tuple[Part, ...]:
        """All but its first word."""
        return self.parts[1:]


def read_script(source: bytes) -> list[Form]:
    """The forms of a script."""
    stack: list[tuple[int, list[Part]]] = [(0, [])]
    for kind, text, at in _tokens(source):
        if kind == "open":
            stack.append((at, []))
        elif kind == "close":
            begin, parts = stack.pop()
            line = source.count(b"\n", 0, begin) + 1
            stack[-1][1].append(Form(tuple(parts), source[begin : at + 1], line))
        else:
            stack[-1][1].append(_unescaped(text) if kind == "string" else text.decode())
    ((_, forms),) = stack
    return [form for form in forms if isinstance(form, Form)]


def _tokens(source: bytes) -> Iterator[tuple[str, bytes, int]]:
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        assert found is not None
        assert found.lastgroup is not None
        if found[0] == b"(;":
            at = _comment_end(source, at)
            continue
        if found.lastgroup != "space":
            yield found.lastgroup, found[0], at
        at = found.end()


def _comment_end(source: bytes, at: int) -> int:
    depth = 0
    while True:
        edge = _COMMENT_EDGE.search(source, at)
        assert edge is not None, "a comment has no end"
        depth += 1 if edge[0] == b"(;" else -1
        at = edge.end()
        if depth == 0:
            return at


def _unescaped(text: bytes) -> bytes:
    def one(found: "re.Match[bytes]") -> bytes:
        if found[1] is not None:
            return chr(int(found[1].replace(b"_", b""), 16)).encode()
        return bytes([int(found[2], 16)]) if found[2] else _NAMED.get(found[3], found[3])

    return _ESCAPE.sub(one, text[1:-1])

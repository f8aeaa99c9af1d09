"""XML as a small tree: elements with prefixes as written, attributes, text; nothing else.

For documents that somebody signed, of a few kilobytes. Python's `expat` reads them, and what makes
XML dangerous or ambiguous is refused at its first sign: a document type (and with it entities and
defaults of attributes), processing instructions, attributes of XML itself such as `xml:base`, other
encodings than UTF-8. Comments are dropped, as the canonical form drops them.
Standard: XML 1.0, Namespaces in XML 1.0.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NoReturn
from xml.parsers import expat

from tabasco.verify.errors import malformed
from veracruz_utils.frozen import frozen

MAX_XML_BYTES: Final = 256 * 1024
_MAX_DEPTH: Final = 16
_MAX_NODES: Final = 8192
_MAX_ATTRIBUTES: Final = 64
# Canonical XML 1.1, 1.3: a namespace has an absolute name, or there is no canonical form.
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_RESERVED: Final = frozenset(
    {"http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"}
)


@frozen
class XmlName:
    """A name: its namespace (or nothing), and its local part; the prefix is how it is written."""

    namespace: str
    local: str
    prefix: str = field(compare=False, default="")

    @property
    def written(self) -> str:
        """The name as it stands in the document."""
        return f"{self.prefix}:{self.local}" if self.prefix else self.local


@dataclass(slots=True)
class XmlElement:
    """An element.

    Attributes:
        namespaces: all that are in scope, by prefix; the default has none.
        attributes: without declarations of namespaces.
        children: elements and texts, in order.
    """

    name: XmlName
    namespaces: Mapping[str, str]
    attributes: Mapping[XmlName, str]
    children: "list[XmlElement | str]" = field(default_factory=list)

    @property
    def elements(self) -> "Iterator[XmlElement]":
        """The elements among its children."""
        return (each for each in self.children if isinstance(each, XmlElement))

    @property
    def text(self) -> str:
        """Its text, where it has nothing else.

        Raises:
            EvidenceError: an element is in it.
        """
        if any(self.elements):
            raise malformed(f"{self.name.written} is not just text")
        return "".join(each for each in self.children if isinstance(each, str))

    def only(self, name: XmlName) -> "XmlElement":
        """Its one child of this name.

        Raises:
            EvidenceError: there are none or several.
        """
        found = [each for each in self.elements if each.name == name]
        if len(found) != 1:
            raise malformed(f"{self.name.written} has {len(found)} elements {name.local}, not one")
        return found[0]

    def attribute(self, name: str, namespace: str = "") -> str:
        """The value of an attribute.

        Raises:
            EvidenceError: it is not there.
        """
        value = self.attributes.get(XmlName(namespace, name))
        if value is None:
            raise malformed(f"{self.name.written} has no attribute {name}")
        return value


def parse(data: bytes) -> XmlElement:
    """The root of a document.

    Raises:
        EvidenceError: stage `format`: it is not XML, larger than is read, or has what is refused.
    """
    if len(data) > MAX_XML_BYTES:
        raise malformed(f"XML of {len(data)} bytes, at most {MAX_XML_BYTES} are read")
    try:
        # Expat would follow a byte order mark, or zeros between letters, to another encoding.
        usable = "\0" not in data.decode()
    except UnicodeDecodeError:
        usable = False
    if not usable:
        raise malformed("it is not XML in UTF-8")
    builder = _Builder()
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.ProcessingInstructionHandler = _refuse_instruction
    try:
        parser.Parse(data, True)  # noqa: FBT003 - the last of it
    except expat.ExpatError as error:
        raise malformed(f"it is not XML: {expat.ErrorString(error.code)}") from error
    assert builder.root is not None  # expat refuses a document without an element
    return builder.root


class _Builder:
    """Makes elements of what expat calls out; bounded by nodes and depth."""

    def __init__(self) -> None:
        self.root: XmlElement | None = None
        self._open: list[XmlElement] = []
        self._nodes = 0

    def start(self, written: str, attributes: Sequence[str]) -> None:
        self._count()
        if len(self._open) == _MAX_DEPTH or len(attributes) > 2 * _MAX_ATTRIBUTES:
            raise malformed(f"XML deeper than {_MAX_DEPTH}, or with more attributes than are read")
        scope = self._open[-1].namespaces if self._open else MappingProxyType({})
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        declared = {name: value for name, value in pairs if _declares(name)}
        if declared:
            scope = MappingProxyType({**scope, **_declarations(declared)})
        found: dict[XmlName, str] = {}
        for name, value in pairs:
            if _declares(name):
                continue
            key = _resolved(name, scope, default="")
            if key in found:
                raise malformed(f"attribute {name[:40]!r} is there twice under two prefixes")
            found[key] = value
        element = XmlElement(_resolved(written, scope, default=scope.get("", "")), scope, found)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _written: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._count()
        self._open[-1].children.append(text)

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise malformed(f"XML with more than {_MAX_NODES} elements and texts")


def _declares(name: str) -> bool:
    return name == "xmlns" or name.startswith("xmlns:")


def _declarations(attributes: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in attributes.items():
        prefix = name.removeprefix("xmlns").removeprefix(":")
        # Namespaces in XML 1.0, 2.2: a prefix is never undeclared; `xml` and `xmlns` are XML's own.
        if prefix in {"xml", "xmlns"} or value in _RESERVED or (prefix and not value):
            raise malformed(f"XML declares the namespace of prefix {prefix[:40]!r}")
        if value and not _ABSOLUTE.fullmatch(value):
            raise malformed(f"XML declares the namespace {value[:40]!r}, which is not absolute")
        if name != "xmlns" and not _is_name(prefix):
            raise malformed(f"XML declares the namespace of prefix {prefix[:40]!r}")
        found[prefix] = value
    return found


def _is_name(part: str) -> bool:
    """Whether a prefix or a local part is a name by itself; the parser has seen the whole."""
    return (part[:1].isalpha() or part[:1] == "_") and ":" not in part


def _resolved(written: str, scope: Mapping[str, str], *, default: str) -> XmlName:
    prefix, colon, local = written.partition(":")
    if not colon:
        return XmlName(default, written)
    if not _is_name(local) or prefix not in scope:
        raise malformed(f"XML uses name {written[:40]!r}, whose prefix is not declared")
    return XmlName(scope[prefix], local, prefix)


def _refuse_document_type(*_arguments: object) -> NoReturn:
    raise malformed("XML with a document type is not read")


def _refuse_instruction(*_arguments: object) -> NoReturn:
    raise malformed("XML with a processing instruction is not read")

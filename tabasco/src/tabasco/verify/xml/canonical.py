"""The canonical form of XML: the one text that a signature over a document is over.

Inclusive Canonical XML 1.0 and 1.1 without comments. The two differ in attributes of XML itself
alone, and those `tree` does not read; with document types and instructions gone, what is left of
the standard is here. Standard: W3C Canonical XML 1.1, sections 2.3 and 4.6.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tabasco.verify.xml.tree import XmlElement, XmlName

_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_VALUE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


def canonical(element: XmlElement, *, without: XmlElement | None = None) -> bytes:
    """The canonical form of `element` and of what is in it.

    Args:
        element: a root, or an element in a document: then it shows all namespaces in scope.
        without: an element that is left out, with what is in it.
    """
    parts: list[str] = []
    _write(parts, element, MappingProxyType({}), without)
    return "".join(parts).encode()


def _write(
    parts: list[str], element: XmlElement, shown: Mapping[str, str], without: XmlElement | None
) -> None:
    name = element.name.written
    parts.append(f"<{name}")
    for prefix, value in sorted(element.namespaces.items()):
        # The default namespace is nothing where nobody declared it, so then it is not shown.
        if shown.get(prefix, "") != value:
            declared = f"xmlns:{prefix}" if prefix else "xmlns"
            parts.append(f' {declared}="{value.translate(_VALUE)}"')
    for attribute, value in sorted(element.attributes.items(), key=_order):
        parts.append(f' {attribute.written}="{value.translate(_VALUE)}"')
    parts.append(">")
    for child in element.children:
        if isinstance(child, str):
            parts.append(child.translate(_TEXT))
        elif child is not without:
            _write(parts, child, element.namespaces, without)
    parts.append(f"</{name}>")


def _order(attribute: tuple[XmlName, str]) -> tuple[str, str]:
    return attribute[0].namespace, attribute[0].local

"""Pages of one file, read as a browser reads them."""

import re
from html.parser import HTMLParser

_CLOSED = {"meta", "path", "rect", "line"}


class ReadPage(HTMLParser):
    """Every tag and attribute of a page, and its text.

    Attributes:
        tags: what was opened, in order.
        open: what was not closed.
        attributes: with their values.
        text: all of it.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _CLOSED:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in _CLOSED:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read_alone(raw: str) -> ReadPage:
    """A page that is whole, in a language, and needs and runs nothing."""
    page = ReadPage(raw)
    assert page.open == []
    assert raw.startswith('<!DOCTYPE html>\n<html lang="')
    assert "default-src 'none'" in raw
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "srcset", "style"}
    assert not [name for name in names if name.startswith("on")]
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert not re.search(r"url\((?!#tip)|@import", raw)
    return page

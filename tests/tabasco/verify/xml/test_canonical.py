"""The canonical form, held to the examples of its standard and to Python's own where both agree."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabasco.verify.xml.canonical import canonical
from tabasco.verify.xml.tree import parse

# W3C Canonical XML 1.1, section 3.3, without its document type.
START_AND_END_TAGS = b"""<doc>
   <e1   />
   <e2   ></e2>
   <e3   name = "elem3"   id="elem3"   />
   <e4   name="elem4"   id="elem4"   ></e4>
   <e5 a:attr="out" b:attr="sorted" attr2="all" attr="I'm"
      xmlns:b="http://www.ietf.org"
      xmlns:a="http://www.w3.org"
      xmlns="http://example.org"/>
   <e6 xmlns="" xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="" xmlns:a="http://www.w3.org">
            <e9 xmlns="" xmlns:a="http://www.ietf.org"/>
         </e8>
      </e7>
   </e6>
</doc>"""
CANONICAL_TAGS = b"""<doc>
   <e1></e1>
   <e2></e2>
   <e3 id="elem3" name="elem3"></e3>
   <e4 id="elem4" name="elem4"></e4>
   <e5 xmlns="http://example.org" xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" \
attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>
   <e6 xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="">
            <e9 xmlns:a="http://www.ietf.org"></e9>
         </e8>
      </e7>
   </e6>
</doc>"""
# Section 3.4.
CHARACTERS = b"""<doc>
   <text>First line&#x0d;&#10;Second line</text>
   <value>&#x32;</value>
   <compute><![CDATA[value>"0" && value<"10" ?"valid":"error"]]></compute>
   <compute expr='value>"0" &amp;&amp; value&lt;"10" ?"valid":"error"'>valid</compute>
   <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/>
</doc>"""
CANONICAL_CHARACTERS = b"""<doc>
   <text>First line&#xD;
Second line</text>
   <value>2</value>
   <compute>value&gt;"0" &amp;&amp; value&lt;"10" ?"valid":"error"</compute>
   <compute expr="value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:\
&quot;error&quot;">valid</compute>
   <norm attr=" '    &#xD;&#xA;&#x9;   ' "></norm>
</doc>"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [(START_AND_END_TAGS, CANONICAL_TAGS), (CHARACTERS, CANONICAL_CHARACTERS)],
    ids=["start-and-end-tags", "characters"],
)
def test_the_examples_of_the_standard(written, expected):
    assert canonical(parse(written)) == expected


def test_comments_and_the_declaration_are_not_in_it():
    written = b'<?xml version="1.0" encoding="utf-8"?>\n<!-- a --><a>b<!-- c -->d</a>\n<!-- e -->\n'
    assert canonical(parse(written)) == b"<a>bd</a>"


def test_characters_of_other_scripts_stay_as_they_are():
    assert canonical(parse("<a b='é'>&#x4e2d;</a>".encode())) == '<a b="é">中</a>'.encode()


def test_an_element_in_a_document_shows_all_namespaces_in_scope():
    root = parse(b'<a xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"><b><p:c/></b></a>')
    (inner,) = root.elements
    expected = b'<b xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"><p:c></p:c></b>'
    assert canonical(inner) == expected


def test_an_element_can_be_left_out():
    root = parse(b"<a>x<b>y</b>z</a>")
    (inner,) = root.elements
    assert canonical(root, without=inner) == b"<a>xz</a>"


_NAMES = st.sampled_from(["a", "b", "ab", "A"])
_TEXTS = st.text(st.sampled_from("xy<>&\"'\t\n\r é中"), max_size=6)


def _escaped(text):
    return "".join(f"&#{ord(each)};" for each in text)


def _written(element):
    name, attributes, children = element
    shown = "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items())
    inner = "".join(
        _escaped(child) if isinstance(child, str) else _written(child) for child in children
    )
    return f"<{name}{shown}>{inner}</{name}>"


_ELEMENTS = st.recursive(
    st.tuples(_NAMES, st.dictionaries(_NAMES, _TEXTS, max_size=3), st.lists(_TEXTS, max_size=2)),
    lambda inner: st.tuples(
        _NAMES, st.dictionaries(_NAMES, _TEXTS, max_size=3), st.lists(inner | _TEXTS, max_size=3)
    ),
    max_leaves=6,
)


@given(_ELEMENTS)
def test_without_namespaces_it_is_what_python_writes(element):
    written = _written(element)
    assert canonical(parse(written.encode())).decode() == ET.canonicalize(written)


@given(_ELEMENTS)
def test_the_canonical_form_of_it_is_itself(element):
    once = canonical(parse(_written(element).encode()))
    assert canonical(parse(once)) == once

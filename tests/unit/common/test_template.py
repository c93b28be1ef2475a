"""The template grammar: both forms, their equality, and refusals that say where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.template import Template, TemplateError, TemplateValueError

READ = {
    'NAME = "a b"': [("NAME", "a b")],
    "# only a comment\n": [],
    "A=1 # comment\n# another\nB=2": [("A", "1"), ("B", "2")],
    "": [],
    "MEMORY = 64\nCPU = 0.1": [("MEMORY", "64"), ("CPU", "0.1")],
    "F=1 G=2": [("F", "1"), ("G", "2")],
    'NAME="x" DS_MAD="y"': [("NAME", "x"), ("DS_MAD", "y")],
    "lower = value": [("LOWER", "value")],
    "E=\nF=1": [("E", ""), ("F", "1")],
    'V = [ a = "1", B = 2 ]': [("V", {"A": "1", "B": "2"})],
    'V=[a="1"]\nV=[a="2"]': [("V", {"A": "1"}), ("V", {"A": "2"})],
    'Q = "say \\"hi\\""': [("Q", 'say "hi"')],
    'Q = "two\nlines"': [("Q", "two\nlines")],
    "<T><A>1</A><V><B>2</B></V></T>": [("A", "1"), ("V", {"B": "2"})],
    "<T><A><![CDATA[<&>]]></A></T>": [("A", "<&>")],
    # What has no content is no attribute; an empty section is an empty one. Parts keep their case.
    "<T><A></A><B/><C><![CDATA[]]></C><D> </D></T>": [("C", ""), ("D", " ")],
    "<T><V><B/><C><![CDATA[]]></C><d>2</d><E><F>1</F></E></V><w>1</w></T>": [
        ("V", {"C": "", "d": "2"}),
        ("W", "1"),
    ],
    "A=[]": [("A", {})],
    "A=[B=1,B=2]": [("A", {"B": "1"})],
    'A=a"b"': [("A", 'a"b"')],
    'A="': [("A", '"')],
    'A="C:\\dir\\x"': [("A", "C:\\dir\\x")],
    'A="1"\r\nB=2\r\n': [("A", "1"), ("B", "2")],
    "1A=2": [("ONE_1A", "2")],
    "XMLNS=2": [("ONE_XMLNS", "2")],
}

REFUSED = {
    "X": (1, 2),
    "A = [": (1, 6),
    'A=[b="1" c="2"]': (1, 10),
    'OK=1\nA="open and more': (2, 13),
    "A=1\n= 2": (2, 1),
    "A=two words": (1, 12),
    "A=": (1, 3),
    "A=1,2": (1, 4),
    "A-B=1": (1, 3),
    "A=[B=\n]": (1, 5),
    "A=[1B=2]": (0, 0),
}


@pytest.mark.parametrize("text", READ)
def test_reads(text: str) -> None:
    assert list(Template.parse(text)) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_refusal_names_line_and_column(text: str) -> None:
    with pytest.raises(TemplateError) as refusal:
        Template.parse(text)
    assert (refusal.value.line, refusal.value.column) == REFUSED[text]
    if refusal.value.line:
        assert f"line {refusal.value.line}, column {refusal.value.column}" in str(refusal.value)


@pytest.mark.parametrize("text", ['<!DOCTYPE t [<!ENTITY a "b">]><t><x>&a;</x></t>', "<t><a></t>", "<t>"])
def test_bad_xml_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse(text)


_names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
_texts = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="￾￿"), max_size=20)
# The text form has no way to write a backslash before the closing quote.
_texts = _texts.filter(lambda text: not text.endswith("\\"))
_values = st.one_of(_texts, st.dictionaries(_names, _texts, min_size=1, max_size=3))


@given(st.lists(st.tuples(_names, _values), max_size=6))
def test_both_forms_keep_everything(entries: list) -> None:
    template = Template(entries)
    assert Template.parse(template.to_text()) == template
    assert Template.parse(template.to_xml()) == template


def test_merge_replaces_all_values_of_a_name() -> None:
    template = Template([("A", "1"), ("A", "2"), ("B", "3")])
    template.merge(Template([("A", "9")]))
    assert template == Template([("A", "9"), ("B", "3")])


def test_names_that_xml_cannot_carry_are_refused() -> None:
    with pytest.raises(TemplateError, match="must start with a letter"):
        Template([("A B", "1")])


@pytest.mark.parametrize("text", ["abc", "1e999", "nan"])
def test_numbers_are_checked(text: str) -> None:
    with pytest.raises(TemplateValueError, match="CPU"):
        Template([("CPU", text)]).get_float("CPU")

"""Plain requests are read without a parser: exactly as the parser reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common import xmlrpc, xmlrpc_plain

_EMPTY = b"<methodCall><methodName>a.b</methodName><params></params></methodCall>"
PLAIN = [
    _EMPTY,
    b"<?xml version='1.0'?>\n" + _EMPTY.replace(b"><", b">\n <") + b"\n",
    b'<?xml version="1.0" encoding="UTF-8"?>\r\n' + _EMPTY.replace(b"><", b">\r\n<"),
    b'<?xml version="1.0" ?>' + _EMPTY,
]
_VALUE = "<methodCall><methodName>a</methodName><params>{}</params></methodCall>"
NOT_PLAIN = [
    _VALUE.format(f"<param><value>{inner}</value></param>")
    for inner in (
        "text",
        "<string>a&amp;b</string>",
        "<string>a\rb</string>",
        "<string><![CDATA[x]]></string>",
        "<string>]]></string>",
        "<string>\x01</string>",
        "<string>\uffff</string>",
        "<string/>",
        "<int> 7 </int>x",
        "<array><data></data></array>",
        "<double>1</double>",
        "<string>x</string><string>y</string>",
        "<string a='b'>x</string>",
        "<!-- c --><string>x</string>",
    )
]


def read(reader: Any, data: bytes) -> Any:
    """What a reader makes of a request; the text of its refusal."""
    try:
        name, args = reader(data)
    except xmlrpc.XmlRpcError as error:
        return str(error)
    return name, args, [type(arg) for arg in args]


@pytest.mark.parametrize("data", PLAIN)
def test_plain(data: bytes) -> None:
    assert xmlrpc_plain.read(data) is not None
    assert read(xmlrpc.loads_request, data) == read(xmlrpc.parse_request, data)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_left_to_the_parser(text: str) -> None:
    data = text.encode()
    assert xmlrpc_plain.read(data) is None
    assert read(xmlrpc.loads_request, data) == read(xmlrpc.parse_request, data)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf" + PLAIN[0], b" " + PLAIN[1], b"\xff", PLAIN[0] + b"<a/>"]
)
def test_other_starts_and_ends(data: bytes) -> None:
    assert xmlrpc_plain.read(data) is None
    assert read(xmlrpc.loads_request, data) == read(xmlrpc.parse_request, data)


_ARGUMENT = st.one_of(
    st.text(max_size=30), st.booleans(), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
)


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(_ARGUMENT, max_size=6))
def test_what_clients_send(args: list[Any]) -> None:
    data = xmlrpc.dumps_request("one.vm.info", args)
    assert read(xmlrpc.loads_request, data) == read(xmlrpc.parse_request, data)


_TAGS = ("value", "string", "int", "i8", "boolean", "param")
_TEXTS = (" ", "\n", "\r", "\t", "7", "x", "&lt;", "&", "-1", "1_0", "+3", "٣", "9" * 30, "]]>")
_PIECES = st.sampled_from([*(f"<{tag}>" for tag in _TAGS), *(f"</{tag}>" for tag in _TAGS), *_TEXTS])


@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(st.lists(_PIECES, max_size=12))
def test_what_nobody_should_send(pieces: list[str]) -> None:
    text = "".join(pieces)
    for inner in (
        text,
        f"<param><value>{text}</value></param>",
        f"<param><value><int>{text}</int></value></param>",
    ):
        data = f"<methodCall><methodName>a</methodName><params>{inner}</params></methodCall>".encode()
        assert read(xmlrpc.loads_request, data) == read(xmlrpc.parse_request, data)

"""XML-RPC messages against the standard library's, and what is refused."""

from __future__ import annotations

import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import xmlrpc as ours

_text = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="￾￿"), max_size=30)
_scalar = st.one_of(_text, st.booleans(), st.integers(-(2**31), 2**31 - 1))
_args = st.lists(st.one_of(_scalar, st.lists(st.integers(0, 99), max_size=3)), max_size=6)


@given(_args)
def test_we_read_what_the_standard_client_writes(args: list) -> None:
    data = xmlrpc.client.dumps(tuple(args), "one.vm.info").encode()
    assert ours.loads_request(data) == ("one.vm.info", args)


@given(_args)
def test_the_standard_client_reads_what_we_write(args: list) -> None:
    values, _ = xmlrpc.client.loads(ours.dumps_response(args))
    assert values == (args,)


@given(_args)
def test_round_trip(args: list) -> None:
    assert ours.loads_request(ours.dumps_request("m", args)) == ("m", args)
    assert ours.loads_response(ours.dumps_response(args)) == args


def test_a_value_without_type_is_a_string() -> None:
    params = b"<params><param><value>a b</value></param></params>"
    data = b"<methodCall><methodName>m</methodName>" + params + b"</methodCall>"
    assert ours.loads_request(data) == ("m", ["a b"])


def test_a_fault_is_raised_with_its_code() -> None:
    data = xmlrpc.client.dumps(xmlrpc.client.Fault(-506, "no such method")).encode()
    with pytest.raises(ours.Fault, match="no such method") as fault:
        ours.loads_response(data)
    assert fault.value.code == -506


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not well-formed"),
        (b"hello", "not well-formed"),
        (b"<a/>", "expected methodCall"),
        (b"<methodCall/>", "methodName"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><methodCall><methodName>&a;</methodName></methodCall>', "entities"),
        (
            b"<methodCall><methodName>m</methodName><params><param><value><i4>x</i4></value></param></params></methodCall>",
            "not an integer",
        ),
        (
            b"<methodCall><methodName>m</methodName><params><param><value><i4>99999999999</i4></value></param></params>"
            b"</methodCall>",
            "out of range",
        ),
        (
            b"<methodCall><methodName>m</methodName><params><param><value><base64>aGk=</base64></value></param></params>"
            b"</methodCall>",
            "base64",
        ),
        (b"<methodCall>" + b"<value><array><data>" * 40 + b"</methodCall>", "nested deeper"),
    ],
)
def test_refusals(data: bytes, words: str) -> None:
    with pytest.raises(ours.XmlRpcError, match=words):
        ours.loads_request(data)

"""XML-RPC messages: reading and writing, for the server and for every client.

Only the types that OpenNebula's interface uses are known: string, int (i4), i8, boolean, double, array and,
in faults, struct. The reader is built on expat with document types refused, so entities cannot be declared.

Source: the XML-RPC specification, and the reply forms of OpenNebula's system interface page.
"""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from services.common import xmlrpc_plain

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


class XmlRpcError(ValueError):
    """The message is not XML-RPC; the text says what was found."""


class Fault(Exception):
    """A fault reply: ``code`` and ``text`` as the server sent them."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"fault {code}: {text}")
        self.code = code
        self.text = text


class I8(int):
    """An int that is written as ``<i8>`` whatever its size."""


def escape(text: str) -> str:
    """Text as it stands inside a ``<string>``, without the characters that XML cannot carry."""
    if _FORBIDDEN.search(text):
        text = _FORBIDDEN.sub("", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f"<value><string>{escape(value)}</string></value>"
    if value is True or value is False:
        return f"<value><boolean>{int(value)}</boolean></value>"
    if isinstance(value, I8):
        return f"<value><i8>{int(value)}</i8></value>"
    if isinstance(value, int):
        kind = "i4" if _INT_MIN <= value <= _INT_MAX else "i8"
        return f"<value><{kind}>{value}</{kind}></value>"
    if isinstance(value, float):
        return f"<value><double>{value!r}</double></value>"
    if isinstance(value, (list, tuple)):
        return f"<value><array><data>{''.join(map(_value, value))}</data></array></value>"
    raise TypeError(f"XML-RPC cannot carry {type(value).__name__}")


def dumps_request(method: str, args: list[Any] | tuple[Any, ...]) -> bytes:
    """The bytes of a call."""
    params = "".join(f"<param>{_value(arg)}</param>" for arg in args)
    return (
        f"<?xml version='1.0'?>\n<methodCall><methodName>{escape(method)}</methodName>"
        f"<params>{params}</params></methodCall>"
    ).encode()


def dumps_response(values: list[Any] | tuple[Any, ...]) -> bytes:
    """The bytes of a successful reply whose one parameter is an array."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n<methodResponse><params><param>'
        f"{_value(values)}</param></params></methodResponse>\r\n"
    ).encode()


def response_frame() -> tuple[bytes, bytes]:
    """What stands before and behind the escaped text of ``[true, text, 0]``."""
    before, _, behind = dumps_response([True, "\t", 0]).partition(b"\t")
    return before, behind


class _Reader:
    """Collects the values of one message while expat walks it."""

    def __init__(self) -> None:
        self.method: str | None = None
        self.kind: str | None = None
        self.is_fault = False
        self.top: list[Any] = []
        self._open: list[list[Any]] = []  # arrays and structs that are not closed yet
        self._names: list[str | None] = []
        self._text: list[str] = []
        self._typed = False
        self._depth = 0

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > 64:
            raise XmlRpcError("values are nested deeper than 64 levels")
        if self._depth == 1:
            if tag not in ("methodCall", "methodResponse"):
                raise XmlRpcError(f"expected methodCall or methodResponse, found {tag}")
            self.kind = tag
        elif tag == "fault":
            self.is_fault = True
        elif tag in ("array", "struct"):
            self._open.append([])
            self._typed = True
        elif tag == "value":
            self._typed = False
        self._text.clear()

    def data(self, text: str) -> None:
        self._text.append(text)

    def _put(self, value: Any) -> None:
        self._typed = True
        (self._open[-1] if self._open else self.top).append(value)

    def end(self, tag: str) -> None:
        self._depth -= 1
        text = "".join(self._text)
        if tag == "string":
            self._put(text)
        elif tag in ("i4", "int", "i8", "boolean"):
            self._put(_scalar(text, tag))
        elif tag == "double":
            try:
                self._put(float(text))
            except ValueError:
                raise XmlRpcError(f"double is not a number: {text.strip()[:20]!r}") from None
        elif tag in ("array", "struct"):
            self._put(self._open.pop())
        elif tag == "name":
            if self._open:
                self._open[-1].append(text)
        elif tag == "value":
            if not self._typed:
                self._put(text)  # a value without a type is a string
        elif tag == "methodName":
            self.method = text.strip()
        elif tag not in ("methodCall", "methodResponse", "params", "param", "data", "member", "fault"):
            raise XmlRpcError(f"type {tag[:20]} is not used by this interface")
        self._text.clear()


def _scalar(text: str, tag: str) -> int | bool:
    """The value of a number or boolean."""
    if tag == "boolean":
        if text.strip() not in ("0", "1"):
            raise XmlRpcError(f"boolean must be 0 or 1, found {text.strip()[:20]!r}")
        return text.strip() == "1"
    low, high = (_LONG_MIN, _LONG_MAX) if tag == "i8" else (_INT_MIN, _INT_MAX)
    try:
        number = int(text)
    except ValueError:
        raise XmlRpcError(f"{tag} is not an integer: {text.strip()[:20]!r}") from None
    if not low <= number <= high:
        raise XmlRpcError(f"{tag} is out of range: {text.strip()[:24]}")
    return I8(number) if tag == "i8" else number


def _refuse_doctype(*_args: Any) -> None:
    raise XmlRpcError("document types and entities are not accepted")


def _read(data: bytes) -> _Reader:
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except XmlRpcError:
        raise
    except (LookupError, ValueError) as error:  # an encoding that is unknown, or of several bytes
        raise XmlRpcError(f"the encoding cannot be used: {error}") from None
    except expat.ExpatError as error:
        raise XmlRpcError(
            f"not well-formed XML at line {error.lineno}, column {error.offset + 1}: "
            f"{expat.ErrorString(error.code)}"
        ) from None
    return reader


def loads_request(data: bytes) -> tuple[str, list[Any]]:
    """Method name and arguments of a call. Raises XmlRpcError."""
    plain = xmlrpc_plain.read(data)
    if plain is not None:
        return plain[0], [text if tag == "string" else _scalar(text, tag) for tag, text in plain[1]]
    return parse_request(data)


def parse_request(data: bytes) -> tuple[str, list[Any]]:
    """What loads_request() gives, always by the parser."""
    reader = _read(data)
    if reader.kind != "methodCall" or not reader.method:
        raise XmlRpcError("expected a methodCall with a methodName")
    return reader.method, reader.top


def loads_response(data: bytes) -> list[Any]:
    """The array that a reply carries. Raises XmlRpcError, or Fault for a fault reply."""
    reader = _read(data)
    if reader.kind != "methodResponse" or not reader.top:
        raise XmlRpcError("expected a methodResponse with one value")
    value = reader.top[0]
    if reader.is_fault:
        members = dict(zip(value[0::2], value[1::2], strict=False)) if isinstance(value, list) else {}
        raise Fault(int(members.get("faultCode", -1)), str(members.get("faultString", value)))
    if not isinstance(value, list):
        raise XmlRpcError(f"expected an array, found {type(value).__name__}")
    return value

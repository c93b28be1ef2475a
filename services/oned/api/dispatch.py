"""From the bytes of a request to the bytes of its answer: parse, find the row, authenticate, authorise, run.

Whatever happens, the answer is OpenNebula's array: ``[true, value, 0]`` or
``[false, text, code, object id, replication index]``. A failed call has changed nothing.
"""

from __future__ import annotations

import itertools
import logging
import os
from typing import Any

from services.common import xmlrpc
from services.common.template import TemplateError, TemplateValueError
from services.common.xmldoc import XmlError
from services.oned.api.call import Call
from services.oned.api.registry import KINDS, METHODS, REQUIRED, Check, Method
from services.oned.auth import session
from services.oned.auth.rights import Right
from services.oned.config import OnedConf
from services.oned.errors import ApiError, AuthorizationError, Code, OneError, RequestError
from services.oned.store import Store, Tx

_log = logging.getLogger("ReM")
_requests = itertools.count(int.from_bytes(os.urandom(2), "big"))


class Dispatcher:
    """Answers requests; one per process, safe for many threads."""

    def __init__(self, store: Store, conf: OnedConf) -> None:
        self._store = store
        self._conf = conf

    def answer(self, data: bytes) -> bytes:
        """The reply to a request, whatever the request is."""
        name = "unknown"
        try:
            name, args = xmlrpc.loads_request(data)
            return xmlrpc.dumps_response([True, self._run(name, args), int(Code.SUCCESS)])
        except xmlrpc.XmlRpcError as error:
            return self._failure(name, ApiError(f"Not an XML-RPC request: {error}"))
        except OneError as error:
            return self._failure(name, error)
        except (TemplateError, TemplateValueError, XmlError) as error:
            return self._failure(name, RequestError(str(error)))
        except Exception:  # noqa: BLE001 - the edge of the process: a bug must answer, and be seen
            _log.exception("%s: unexpected failure", name)
            return self._failure(name, OneError("Internal error, see the log of the front-end."))

    def too_large(self, size_bytes: int) -> bytes:
        """The reply to a request over the size limit, which is never read."""
        limit = self._conf.message_size_bytes
        text = f"The request has {size_bytes} bytes, MESSAGE_SIZE allows {limit}."
        return self._failure("unknown", ApiError(text))

    def _failure(self, name: str, error: OneError) -> bytes:
        _log.log(
            logging.ERROR if error.code == Code.INTERNAL and type(error) is OneError else logging.INFO,
            "%s failed: %s",
            name,
            error.message,
        )
        text = f"[{name}] {error.message}"
        return xmlrpc.dumps_response([False, text, int(error.code), error.object_id, xmlrpc.I8(-1)])

    def _run(self, name: str, args: list[Any]) -> Any:
        row = METHODS.get(name)
        if row is None:
            raise ApiError(f"Method {name[:80]!r} is not defined.")
        secret, values = _arguments(row, args)
        if not row.writes:
            return self._store.read_value(lambda tx: self._call(tx, row, secret, values))
        return self._store.run(lambda tx: self._call(tx, row, secret, values))

    def _call(self, tx: Tx, row: Method, secret: str, values: list[Any]) -> Any:
        caller = session.authenticate(tx, secret, self._conf)
        call = Call(tx, caller, self._conf, row.name, next(_requests) % 10000)
        if row.admin_group_only and not caller.is_admin:
            raise AuthorizationError(f"User [{caller.uid}] : Action not permitted, group 0 only.")
        for check in row.checks:
            _check(call, row, check, values)
        return row.handler(call, *values)


def _check(call: Call, row: Method, check: Check, values: list[Any]) -> None:
    if check.right is Right.CREATE:
        call.authorize_create(check.model)
        return
    position = next(i for i, param in enumerate(row.params) if param.name == check.arg)
    call.authorize(check.model, check.right, values[position])


def _arguments(row: Method, args: list[Any]) -> tuple[str, list[Any]]:
    """The session and the checked arguments, defaults filled in. Raises ApiError naming the argument."""
    expected = ", ".join(["session (string)", *(f"{p.name} ({KINDS[p.kind][0]})" for p in row.params)])
    if not args:
        raise ApiError(f"{row.name} needs the arguments {expected}; none was given.")
    if not isinstance(args[0], str):
        raise ApiError(f"{row.name}: argument 1, session, must be a string, found {_kind_of(args[0])}.")
    values: list[Any] = []
    for position, param in enumerate(row.params, start=1):
        if position >= len(args):
            if param.default is REQUIRED:
                raise ApiError(
                    f"{row.name}: argument {position + 1}, {param.name}, is missing; expected {expected}."
                )
            values.append(list(param.default) if param.kind == "A" else param.default)
            continue
        value = args[position]
        label, types = KINDS[param.kind]
        is_bool = isinstance(value, bool)
        fits = isinstance(value, types) and (is_bool == (param.kind == "b") or param.kind == "b")
        if param.kind == "A" and fits:
            fits = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
        if not fits:
            raise ApiError(
                f"{row.name}: argument {position + 1}, {param.name}, must be {label}, "
                f"found {_kind_of(value)}."
            )
        values.append(bool(value) if param.kind == "b" else value)
    return args[0], values


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "int", list: "array", float: "double"}.get(type(value), type(value).__name__)

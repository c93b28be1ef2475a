"""From the bytes of an XML-RPC request to the bytes of its answer.

Whatever happens, the answer is OpenNebula's array: ``[true, value, 0]`` or
``[false, text, code, object id, replication index]``. A failed call has changed nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from typing import Any

from services.common import xmlrpc
from services.oned.api import arguments, stream
from services.oned.api.execute import Executor
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import METHODS
from services.oned.errors import ApiError, Code, OneError

_log = logging.getLogger("ReM")
_BEFORE, _BEHIND = xmlrpc.response_frame()


class Dispatcher:
    """Answers XML-RPC requests; one per process, safe for many threads."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def answer(self, data: bytes) -> bytes:
        """The reply to a request, whatever the request is, in one piece."""
        reply = self.reply(data)
        try:
            return b"".join(reply)
        finally:
            if isinstance(reply, stream.Streamed):
                reply.close()

    def reply(self, data: bytes) -> Iterable[bytes]:
        """The reply to a request: a list, or for a large pool something to iterate and close (stream.py)."""
        name = "unknown"
        try:
            name, args = xmlrpc.loads_request(data)
            value = self._run(name, args)
            if isinstance(value, PoolDocument):
                return stream.start(self._chunks(name, value), self._executor.conf.port)
            return [xmlrpc.dumps_response([True, value, int(Code.SUCCESS)])]
        except xmlrpc.XmlRpcError as error:
            return [self._failure(name, ApiError(f"Not an XML-RPC request: {error}"))]
        except OneError as error:
            return [self._failure(name, error)]
        except Exception:  # noqa: BLE001 - the edge of the process: a bug must answer, and be seen
            _log.exception("%s: unexpected failure", name)
            return [self._failure(name, OneError("Internal error, see the log of the front-end."))]

    def too_large(self, size_bytes: int) -> bytes:
        """The reply to a request over the size limit, which is never read."""
        limit = self._executor.conf.message_size_bytes
        text = f"The request has {size_bytes} bytes, MESSAGE_SIZE allows {limit}."
        return self._failure("unknown", ApiError(text))

    def _run(self, name: str, args: list[Any]) -> Any:
        row = METHODS.get(name)
        if row is None:
            raise ApiError(f"Method {name[:80]!r} is not defined.")
        secret, values = arguments.checked(row, args)
        return self._executor.run(row, secret, values)

    def _chunks(self, name: str, document: PoolDocument) -> Generator[bytes, None, None]:
        yield _BEFORE + xmlrpc.escape(f"<{document.root}>").encode()
        for batch in self._executor.rest(name, document):
            yield xmlrpc.escape("".join(batch)).encode()
        yield xmlrpc.escape(f"{document.tail}</{document.root}>").encode() + _BEHIND

    def _failure(self, name: str, error: OneError) -> bytes:
        _log.log(
            logging.ERROR if error.code == Code.INTERNAL and type(error) is OneError else logging.INFO,
            "%s failed: %s",
            name,
            error.message,
        )
        text = f"[{name}] {error.message}"
        return xmlrpc.dumps_response([False, text, int(error.code), error.object_id, xmlrpc.I8(-1)])

"""Runs a row of the registry for the interfaces: authenticate, authorise, call the handler.

XML-RPC and JSON come here alike, with the row and its checked arguments, so a method has one behaviour.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from typing import Any

from services.common.template import TemplateError, TemplateValueError
from services.common.xmldoc import XmlError
from services.oned.api import notices
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, Method
from services.oned.auth import outside, session
from services.oned.auth.rights import Right
from services.oned.auth.session import Caller
from services.oned.config import OnedConf
from services.oned.errors import AuthorizationError, OneError, RequestError
from services.oned.lifecycle import site
from services.oned.store import Store, Tx

_log = logging.getLogger("ReM")
_requests = itertools.count(int.from_bytes(os.urandom(2), "big"))


class Executor:
    """Runs calls; one per process, safe for many threads."""

    def __init__(self, store: Store, conf: OnedConf) -> None:
        self._store = store
        self._conf = conf
        site.use(conf)

    @property
    def conf(self) -> OnedConf:
        """The settings."""
        return self._conf

    def run(self, row: Method, secret: str, values: list[Any]) -> Any:
        """The value that the handler answers, once that is durable. Raises OneError; then nothing changed,
        unless the handler has returned the error (one.marketapp.allocate leaves an appliance in ERROR).

        A PoolDocument that is whole is answered as its text. One that is not has begun to be read on this
        thread's connection: the caller reads it on with rest(), in this thread and before the next call.
        """
        try:
            return outside.complete(self._store, lambda: self._attempt(row, secret, values))
        except (TemplateError, TemplateValueError, XmlError) as error:
            raise RequestError(str(error)) from None

    def rest(self, name: str, document: PoolDocument) -> Iterator[list[str]]:
        """The batches of a document that run() did not gather whole.

        Ends with an exception, after logging it, when the database fails on the way.
        """
        finished = False
        try:
            with self._store.read():
                yield from document.batches()
            finished = True
        except OneError as error:
            _log.error("%s: the answer breaks off: %s", name, error.message)
            raise
        finally:
            document.close()
            if not finished:
                self._store.close()

    def _attempt(self, row: Method, secret: str, values: list[Any]) -> Any:
        if row.writes:
            value = self._store.run(lambda tx: self._call(tx, row, secret, values))
            if isinstance(value, OneError):  # refused by the handler, which keeps what it has changed
                raise value
            return value
        return self._store.read_value(lambda tx: self._read(tx, row, secret, values))

    def _read(self, tx: Tx, row: Method, secret: str, values: list[Any]) -> Any:
        value = self._call(tx, row, secret, values)
        if isinstance(value, PoolDocument) and value.gather():
            return value.text()
        return value

    def _call(self, tx: Tx, row: Method, secret: str, values: list[Any]) -> Any:
        return perform(tx, row, session.authenticate(tx, secret, self._conf), self._conf, values)


def perform(tx: Tx, row: Method, caller: Caller, conf: OnedConf, values: list[Any]) -> Any:
    """What a method answers to a user who is known, in a transaction that is under way. Raises OneError."""
    call = Call(tx, caller, conf, row.name, next(_requests) % 10000)
    if row.admin_group_only and not caller.is_in_oneadmin_group:
        raise AuthorizationError(f"User [{caller.uid}] : Action not permitted, group 0 only.")
    for check in row.checks:
        _check(call, row, check, values)
    value = row.handler(call, *values)
    if not isinstance(value, OneError):
        notices.record(call, row.name, values)
    return value


def _check(call: Call, row: Method, check: Check, values: list[Any]) -> None:
    if check.right is Right.CREATE:
        call.authorize_create(check.model)
        return
    position = next(i for i, param in enumerate(row.params) if param.name == check.arg)
    call.authorize(check.model, check.right, values[position])

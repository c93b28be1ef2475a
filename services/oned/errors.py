"""What a call can fail with: one class for each outcome that a client acts on, with its reply code.

Source: error codes of the XML-RPC reference (system interfaces).
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Third value of a reply; wire format, never renumbered."""

    SUCCESS = 0x0000
    AUTHENTICATION = 0x0100
    AUTHORIZATION = 0x0200
    NO_EXISTS = 0x0400
    ACTION = 0x0800
    XML_RPC_API = 0x1000
    INTERNAL = 0x2000
    ALLOCATE = 0x4000
    LOCKED = 0x8000
    REPLICATION = 0x10000


class OneError(Exception):
    """A refusal: nothing was changed. ``object_id`` is the object concerned, or -1."""

    code = Code.INTERNAL

    def __init__(self, message: str, object_id: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.object_id = object_id


class AuthenticationError(OneError):
    """The session does not prove an enabled user."""

    code = Code.AUTHENTICATION

    def __init__(self) -> None:
        super().__init__("User couldn't be authenticated, aborting call.")


class AuthorizationError(OneError):
    """The user may not do this to that object."""

    code = Code.AUTHORIZATION


class NotFoundError(OneError):
    """An object that the call names does not exist."""

    code = Code.NO_EXISTS


class ActionError(OneError):
    """The object's state or the request's values forbid the action."""

    code = Code.ACTION


class ApiError(OneError):
    """The request does not fit the method: unknown name, number or type of arguments, size."""

    code = Code.XML_RPC_API


class RequestError(OneError):
    """A value of the request cannot be used (name taken, template broken); OpenNebula's INTERNAL."""

    code = Code.INTERNAL


class AllocateError(OneError):
    """The object cannot be created."""

    code = Code.ALLOCATE


class LockedError(OneError):
    """The object is locked by its owner."""

    code = Code.LOCKED


class ReplicationError(OneError):
    """A record of another zone's log cannot be taken."""

    code = Code.REPLICATION

"""What an authentication driver is given and what it answers.

A driver is asked outside of any transaction, in the calling thread; it must end within its own time limit.
Its answer to a user that is not known yet, or whose groups it manages, is OpenNebula's line
``<driver> <user name> <password to store> [[*]<group id> ...]``, a star making the user administrator of
that group. Source: authentication driver page of release 6.0, one_auth_mad.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from services.oned.config import OnedConf


class Refusal(Exception):
    """The driver does not accept the login. The text goes to the log and holds no secret."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who wants in: the name, what the database holds as password ("-": user not known), and the secret.

    target: with server drivers, the user that the server acts for.
    """

    name: str
    password: str = field(repr=False)
    secret: str = field(repr=False)
    target: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A login was accepted. ``message``: the line for groups; ``until``: epoch seconds, None for ever."""

    message: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What drivers may use. group_ids: template attribute to value to group id, of all groups."""

    conf: OnedConf
    group_ids: Callable[[str], dict[str, int]]


def decoded(text: str) -> bytes:
    """The bytes of base64 text, line ends and blanks passed over. Raises Refusal."""
    try:
        return base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("the secret is not base64 text") from None


def expiry(text: str, now: float, what: str) -> float:
    """The epoch seconds in a token. Raises Refusal when they have passed, or are no number."""
    found = re.match(r"\s*(-?\d{1,18})", text)
    until = int(found[1]) if found else 0
    if now >= until:
        raise Refusal(f"{what} expired, log in again to renew it")
    return float(until)

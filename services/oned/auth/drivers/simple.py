"""Drivers plain and dummy, for trials: they are asked only where AUTHN of AUTH_MAD names them.

Source: drivers of the same names in release 6.0.
"""

from __future__ import annotations

from services.oned.auth import password
from services.oned.auth.drivers.base import Answer, Context, Login, Refusal


def plain(login: Login, context: Context) -> Answer:
    """Accept the stored password itself. Raises Refusal."""
    if not password.same(login.password, login.secret):
        raise Refusal("wrong password")
    return Answer(f"plain {login.name} {login.secret}")


def dummy(login: Login, context: Context) -> Answer:
    """Accept everybody."""
    return Answer(f"dummy {login.name} {login.secret}")

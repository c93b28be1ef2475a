"""Drivers of third parties: the executable ``remotes/auth/<driver>/authenticate``.

It reads ``<AUTHN><USERNAME/><PASSWORD/><SECRET/></AUTHN>``, ends with 0 to accept, and prints the line for
groups; secrets never appear among its arguments. Source: authentication driver page of release 6.0.
"""

from __future__ import annotations

from pathlib import Path

from services.common import paths, xmldoc
from services.oned.auth.drivers.base import Answer, Login, Refusal
from services.oned.drivers.messages import error_text
from services.oned.drivers.run import Command, run_now

_TIMEOUT_S = 60.0


def folder(driver: str) -> Path:
    """Where a driver's action lies."""
    return paths.remotes() / "auth" / driver


def is_there(driver: str) -> bool:
    """Whether there is an action of that driver."""
    return "/" not in driver and driver not in ("", ".", "..") and (folder(driver) / "authenticate").is_file()


def authenticate(driver: str, login: Login) -> Answer:
    """Accept whom the driver's action accepts. Raises Refusal."""
    parts = (("USERNAME", login.name), ("PASSWORD", login.password), ("SECRET", login.secret))
    inner = "".join(f"<{name}>{xmldoc.escape(text)}</{name}>" for name, text in parts)
    action = folder(driver) / "authenticate"
    outcome = run_now(Command((str(action),), _TIMEOUT_S, f"<AUTHN>{inner}</AUTHN>".encode()))
    if outcome.code is None:
        raise Refusal(outcome.fault)
    if outcome.timed_out:
        raise Refusal(f"{action} did not end within {_TIMEOUT_S:g} s and was killed")
    if outcome.code != 0:
        text = error_text(outcome.stderr).replace(login.secret, "***") if login.secret else ""
        raise Refusal(f"{action} ended with {outcome.code}{f': {text}' if text else ''}")
    return Answer(outcome.stdout.strip())

"""Authentication drivers: those of OpenNebula run in this process, others as executables.

Nothing is given to a driver or kept by it beyond one login; ``base.py`` says what it gets and answers.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from importlib import import_module

from services.oned.auth.drivers import executable
from services.oned.auth.drivers.base import Answer, Context, Login, Refusal
from services.oned.config import OnedConf

__all__ = ["Answer", "Context", "Login", "Refusal", "ask", "find"]

_log = logging.getLogger("AuM")
_Authenticate = Callable[[Login, Context], Answer]
# Driver to module and function; imported when first asked, as some bring large libraries with them.
_BUILT_IN = {
    "ssh": ("ssh", "authenticate"),
    "x509": ("x509", "authenticate"),
    "ldap": ("ldap", "authenticate"),
    "server_cipher": ("server_cipher", "authenticate"),
    "server_x509": ("server_x509", "authenticate"),
    "plain": ("simple", "plain"),
    "dummy": ("simple", "dummy"),
}
_ON_TRIAL = frozenset({"plain", "dummy"})  # asked only when they are named


def find(conf: OnedConf, name: str) -> _Authenticate | None:
    """The driver of that name if AUTH_MAD enables it and it is there, or None; the log says why not."""
    section = conf.settings.get_vector("AUTH_MAD")
    if section is None:
        _log.error("Authentication driver %.40r: oned.conf has no AUTH_MAD section.", name)
        return None
    listed = [word.strip() for word in section.get("AUTHN", "").split(",") if word.strip()]
    built_in = _built_in(name)
    enabled = name in listed if listed else built_in is not None and name not in _ON_TRIAL
    if enabled and built_in is not None:
        module, function = _BUILT_IN[built_in]
        driver: _Authenticate = getattr(import_module(f"{__name__}.{module}"), function)
        return driver
    if (enabled or not listed) and executable.is_there(name):
        return lambda login, _: executable.authenticate(name, login)
    _log.info("Authentication driver %.40r is not available.", name)
    return None


def ask(conf: OnedConf, name: str, login: Login, context: Context) -> Answer:
    """The answer of a driver. Raises Refusal, also when the driver is not available or fails."""
    driver = find(conf, name)
    if driver is None:
        raise Refusal(
            f"driver {name[:40]} is not available, AUTHN of AUTH_MAD in oned.conf names those that are"
        )
    try:
        return driver(login, context)
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001 - a fault in a driver or its library must not open the door
        # Not the exception's text, which could repeat a secret.
        where = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("Authentication driver %s: %s in %s:%s", name, type(error).__name__, where[0], where[1])
        raise Refusal(f"driver {name} failed: {type(error).__name__}") from None


def _built_in(name: str) -> str | None:
    """The built-in driver that a name means: its own, or where a link such as ``default -> ldap`` leads."""
    if name in _BUILT_IN:
        return name
    link = executable.folder(name) if name and "/" not in name else None
    if link is not None and link.is_symlink():
        target = link.readlink().name
        return target if target in _BUILT_IN else None
    return None

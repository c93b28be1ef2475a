"""Steps that set in the configuration files what the parameters decide; everything else in them stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bootstrap import conf_edit, files, places
from bootstrap.context import Context, StepError
from services.common import paths


def oned(context: Context) -> None:
    """Set port and database in oned.conf."""

    def change(text: str) -> str:
        return conf_edit.set_vector(
            conf_edit.set_value(text, "PORT", context.oned_port), "DB", _database(context)
        )

    _edit(context, paths.etc() / "oned.conf", change)


def scheduler(context: Context) -> None:
    """Set the core's endpoint in sched.conf."""
    endpoint = f"{context.oned_url}/RPC2"
    _edit(context, paths.etc() / "sched.conf", lambda text: conf_edit.set_value(text, "ONE_XMLRPC", endpoint))


def _database(context: Context) -> dict[str, str | int | None]:
    """The parts of oned.conf's DB; None removes one that belongs to the other kind of database."""
    if context.mysql is None:
        return {"BACKEND": "sqlite"} | dict.fromkeys(
            ("SERVER", "PORT", "USER", "PASSWD", "DB_NAME", "SOCKET")
        )
    return {
        "BACKEND": "mysql",
        "TIMEOUT": None,
        "SERVER": context.settings["MYSQL_HOST"],
        "PORT": context.mysql.port,
        "USER": context.mysql.user,
        "PASSWD": context.mysql.password,
        "DB_NAME": context.mysql.database,
        "SOCKET": str(places.mysql_socket()) if context.has_inner_mysql else None,
    }


def _edit(context: Context, file: Path, change: Callable[[str], str]) -> None:
    oneadmin = context.owner("oneadmin")
    owner = files.Owner(0, oneadmin.gid) if oneadmin else None
    try:
        text = change(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StepError(f"{file}: cannot be read: {error.strerror}") from None
    except conf_edit.ConfEditError as error:
        raise StepError(f"{file}: {error}") from None
    # The database's password is in it.
    changed = files.write(file, text, 0o600 if context.native else 0o640, owner)
    context.say(f"{file} {'written' if changed else 'unchanged'}")

"""Steps that set in the configuration files what the parameters decide; everything else in them stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bootstrap import files, places
from bootstrap.context import Context, StepError
from onecfg import edit
from onecfg.document import Document
from onecfg.errors import ChangeError, OnecfgError
from services.common import paths


def oned(context: Context) -> None:
    """Set port, database and the advertised hosts in oned.conf."""

    def change(document: Document) -> None:
        document.set("PORT", str(context.oned_port))
        for part, value in _database(context).items():
            if value is not None:
                document.set(f"DB/{part}", str(value) if isinstance(value, int) else _quoted(part, value))
        # Afterwards: a section never becomes empty.
        for part, value in _database(context).items():
            if value is None:
                _without(document, f"DB/{part}")
        if not context.native:
            document.set("HOSTNAME", edit.quoted(context.settings["OPENNEBULA_SSH_HOST"]))
        if endpoint := _onegate_endpoint(context):
            document.set("ONEGATE_ENDPOINT", edit.quoted(endpoint))

    _edit(context, paths.etc() / "oned.conf", change)


def monitord(context: Context) -> None:
    """Set the port of the agents' reports in monitord.conf."""

    def change(document: Document) -> None:
        document.set("NETWORK/PORT", str(context.monitord_port))

    _edit(context, paths.etc() / "monitord.conf", change)


def consoles(context: Context) -> None:
    """Set the port of the consoles' websockets in sunstone-server.conf."""

    def change(document: Document) -> None:
        document.set(":vnc_proxy_port", context.console_port)

    _edit(context, paths.etc() / "sunstone-server.conf", change, "yaml")


def scheduler(context: Context) -> None:
    """Set the core's endpoint in sched.conf."""
    endpoint = edit.quoted(f"{context.oned_url}/RPC2")

    def change(document: Document) -> None:
        document.set("ONE_XMLRPC", endpoint)

    _edit(context, paths.etc() / "sched.conf", change)


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


def _onegate_endpoint(context: Context) -> str:
    """What machines are told, once an operator says that there is a OneGate."""
    if not context.settings.given & {"OPENNEBULA_ONEGATE_HOST", "ONEGATE_PORT"}:
        return ""
    host, port = context.settings["OPENNEBULA_ONEGATE_HOST"], context.settings["ONEGATE_PORT"]
    scheme = "https" if context.settings["TLS_PROXY_ENABLED"] == "yes" else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _quoted(part: str, value: str) -> str:
    try:
        return edit.quoted(value)
    except ChangeError as error:
        # Never the value: it may be the password.
        raise StepError(f"oned.conf: DB/{part} cannot be written: {error}") from None


def _without(document: Document, path: str) -> None:
    try:
        document.remove(path)
    except OnecfgError:
        return  # it was not there


def _edit(
    context: Context, file: Path, change: Callable[[Document], None], format_name: str = "oned"
) -> None:
    oneadmin = context.owner("oneadmin")
    owner = files.Owner(0, oneadmin.gid) if oneadmin else None
    try:
        document = edit.open_text(files.read(file), format_name)
        change(document)
    except OSError as error:
        raise StepError(f"{file}: cannot be read: {error.strerror}") from None
    except OnecfgError as error:
        raise StepError(f"{file}: {error}") from None
    # The database's password is in it.
    changed = files.write(file, document.text, 0o600 if context.native else 0o640, owner)
    context.say(f"{file} {'written' if changed else 'unchanged'}")

"""Steps that create passwords, once: kept over restarts, never printed, readable by their owner only."""

from __future__ import annotations

import secrets
from pathlib import Path

from bootstrap import files, places
from bootstrap.context import Context, StepError
from bootstrap.files import Owner
from bootstrap.mysql_settings import MysqlSettings
from services.common import paths


def one_auth(context: Context) -> None:
    """Create oneadmin's credentials when there are none."""
    file = paths.auth_dir() / "one_auth"
    given = context.settings["ONEADMIN_PASSWORD"]
    owner = context.owner("oneadmin")
    if not files.exists(file) or not files.read(file).strip():
        files.write(file, f"oneadmin:{given or secrets.token_urlsafe(16)}\n", 0o600, owner)
        context.say(f"created {file} with {'the given' if given else 'a random'} password")
        return
    files.own(file, 0o600, owner)
    user, separator, password = files.read(file).strip().partition(":")
    if not separator or not user or not password:
        raise StepError(f"{file}: expected one line user:password, found something else")
    if given and given != password:
        context.say(
            f"warning: {file} exists with another password; ONEADMIN_PASSWORD sets the initial one only. "
            "To change it: oneuser passwd"
        )
    else:
        context.say(f"{file} exists")


def database(context: Context) -> None:
    """Settle the database passwords and leave them where the programs that need them can read them."""
    if not (context.has_inner_mysql or context.uses_mysql):
        context.say("SQLite needs none")
        return
    settings = context.settings
    oneadmin = context.owner("oneadmin")
    password = settings["MYSQL_PASSWORD"] or _kept(context, "mysql_auth", settings["MYSQL_USER"], oneadmin)
    root_password = ""
    if context.has_inner_mysql:
        root = context.owner("root")
        root_password = settings["MYSQL_ROOT_PASSWORD"] or _kept(context, "mysql_root_auth", "root", root)
    # Alone in its container the database serves others; otherwise nobody outside may even try.
    is_shared = context.service == "mysqld"
    context.mysql = MysqlSettings(
        port=context.mysql_port,
        bind_address="0.0.0.0" if is_shared else "127.0.0.1",
        database=settings["MYSQL_DATABASE"],
        user=settings["MYSQL_USER"],
        account_hosts=("%",) if is_shared else ("localhost", "127.0.0.1"),
        password=password,
        root_password=root_password,
    )
    if context.has_inner_mysql:
        files.write(places.mysql_settings(), context.mysql.to_json(), 0o600, context.owner("mysql"))
    context.say(f"user {settings['MYSQL_USER']} of database {settings['MYSQL_DATABASE']}")


def _kept(context: Context, name: str, user: str, owner: Owner | None) -> str:
    """The password in a file of the credentials folder, made up at the first time."""
    file: Path = paths.auth_dir() / name
    if files.exists(file):
        known, _, password = files.read(file).strip().partition(":")
        if known == user and password:
            files.own(file, 0o600, owner)
            return password
    password = secrets.token_urlsafe(24)
    files.write(file, f"{user}:{password}\n", 0o600, owner)
    context.say(f"created {file} with a random password")
    return password

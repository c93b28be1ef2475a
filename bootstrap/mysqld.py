"""The inner database: ``python -m bootstrap.mysqld run`` becomes the server, ``upgrade`` brings
the tables of an older server up to date, ``configure`` fills it.

All read the settings file that bootstrap left for the database's user; no secret is in an argument list.
The server trusts its own system user on the unix socket, so that a changed root password locks nobody out.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap import places
from bootstrap.mysql_settings import MysqlSettings, is_upgraded

if TYPE_CHECKING:
    import pymysql

_MARKER = ".onebox-installing"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NOT_INSTALLED = "mysqld: {} is not installed (Debian: apt-get install mariadb-server)"
_ACCESS_DENIED = {1044, 1045, 1698}


def find_program(name: str) -> str | None:
    """A program of MariaDB; servers lie outside an ordinary user's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")


def _system_user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def install() -> None:
    """Create the data folder's content when there is none, or when an earlier try was cut short."""
    data = places.mysql_data()
    marker = data / _MARKER
    # A new ext4 volume is empty but for this folder.
    present = [entry for entry in data.iterdir() if entry.name != "lost+found"]
    if present and not marker.exists():
        return
    for entry in present:
        if entry != marker:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    marker.touch()
    program = find_program("mariadb-install-db")
    if program is None:
        raise SystemExit(_NOT_INSTALLED.format("mariadb-install-db"))
    result = subprocess.run(
        [program, "--no-defaults", f"--user={_system_user()}", f"--datadir={data}", "--skip-test-db",
         "--auth-root-authentication-method=socket", f"--auth-root-socket-user={_system_user()}",
         "--skip-name-resolve"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        output = result.stdout[-2000:]
        raise SystemExit(f"mysqld: creating {data} failed with code {result.returncode}:\n{output}")
    places.mysql_upgraded().write_text(places.mysql_version().read_text(encoding="utf-8"), encoding="utf-8")
    marker.unlink()
    print(f"mysqld: created a new database in {data}", flush=True)


def _server() -> str:
    program = find_program("mariadbd") or find_program("mysqld")
    if program is None:
        raise SystemExit(_NOT_INSTALLED.format("mariadbd"))
    return program


def note_version() -> None:
    """Write down which version the server is, for ``upgrade`` and for who waits for that."""
    command = [_server(), "--no-defaults", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    places.mysql_version().write_text(said.partition("Ver ")[2].split()[0] + "\n", encoding="utf-8")


def upgrade(settings: MysqlSettings, timeout_s: float) -> None:
    """Upgrade the server's own tables when another version made them. Raises SystemExit."""
    with _connect(settings, timeout_s) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT USER()")
        [admitted] = cursor.fetchone()
    admitted = admitted.partition("@")[0]
    if is_upgraded():
        print("mysqld-upgrade: nothing to do", flush=True)
        return
    program = find_program("mariadb-upgrade")
    if program is None:
        raise SystemExit(_NOT_INSTALLED.format("mariadb-upgrade"))
    environment = dict(os.environ)
    if admitted == "root":
        environment["MYSQL_PWD"] = settings.root_password
    result = subprocess.run(
        [program, "--no-defaults", f"--user={admitted}", f"--socket={places.mysql_socket()}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment,
    )  # fmt: skip
    # It ends with an error, too, when it has nothing to do.
    if result.returncode and "already upgraded" not in result.stdout:
        output = result.stdout[-2000:]
        raise SystemExit(f"mysqld-upgrade: mariadb-upgrade ended with code {result.returncode}:\n{output}")
    version = places.mysql_version().read_text(encoding="utf-8")
    places.mysql_upgraded().write_text(version, encoding="utf-8")
    print(f"mysqld-upgrade: the server's own tables are of version {version.strip()} now", flush=True)


def server_command(settings: MysqlSettings) -> list[str]:
    """The command line of the server."""
    return [
        _server(), "--no-defaults", f"--user={_system_user()}", f"--datadir={places.mysql_data()}",
        f"--socket={places.mysql_socket()}", f"--pid-file={places.mysql_run() / 'mysqld.pid'}",
        f"--port={settings.port}", f"--bind-address={settings.bind_address}", "--skip-name-resolve",
        "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
        # What was acknowledged survives a crash of the machine.
        "--innodb-flush-log-at-trx-commit=1", "--max-connections=500", "--max-allowed-packet=64M",
        # Saves a hundred megabytes of memory, and nothing here reads it.
        "--performance-schema=OFF",
    ]  # fmt: skip


def configure(settings: MysqlSettings, timeout_s: float) -> None:
    """Set root's password, create database and user; may run any number of times. Raises SystemExit."""
    connection = _connect(settings, timeout_s)
    with connection, connection.cursor() as cursor:
        # The name was checked to hold letters, digits and underscores only: it cannot be a parameter.
        cursor.execute(
            f"CREATE DATABASE IF NOT EXISTS `{settings.database}`"
            " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        )
        for host in settings.account_hosts:
            account = (settings.user, host)
            cursor.execute("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY %s", (*account, settings.password))
            # It may be there with an older password.
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (*account, settings.password))
            cursor.execute(f"GRANT ALL PRIVILEGES ON `{settings.database}`.* TO %s@%s", account)
            # An upgrade works on a copy beside it. "_" would stand for any letter.
            copy = f"{settings.database[:49]}_onebox_upgrade".replace("_", r"\_")
            cursor.execute(f"GRANT ALL PRIVILEGES ON `{copy}`.* TO %s@%s", account)
        cursor.execute("CREATE USER IF NOT EXISTS root@localhost IDENTIFIED VIA unix_socket")
        cursor.execute("GRANT ALL PRIVILEGES ON *.* TO root@localhost WITH GRANT OPTION")
        cursor.execute(
            "ALTER USER root@localhost IDENTIFIED VIA unix_socket OR mysql_native_password"
            " USING PASSWORD(%s)",
            (settings.root_password,),
        )
    print(f"mysqld-configure: database {settings.database} and user {settings.user} are ready", flush=True)


def _connect(settings: MysqlSettings, timeout_s: float) -> pymysql.Connection[Any]:
    """A connection as the server's own system user; in data made elsewhere, as root with its password."""
    # Not at the top: ./onebox reads this module with nothing but the standard library.
    import pymysql

    ways = ((_system_user(), ""), ("root", settings.root_password))
    deadline = time.monotonic() + timeout_s
    while True:
        for user, password in ways:
            try:
                return pymysql.Connection(
                    unix_socket=str(places.mysql_socket()), user=user, password=password,
                    autocommit=True, connect_timeout=5,
                )  # fmt: skip
            except pymysql.err.MySQLError as error:
                reason = error
        if reason.args[0] in _ACCESS_DENIED:
            raise SystemExit(
                f"mysqld: the server admits neither {_system_user()} on its socket nor root with "
                "MYSQL_ROOT_PASSWORD; was this data folder made by another server?"
            )
        if time.monotonic() >= deadline:
            raise SystemExit(f"mysqld: no answer after {timeout_s:g} s: {reason.args[-1]}")
        time.sleep(0.2)


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m bootstrap.mysqld", description=__doc__)
    parser.add_argument("action", choices=("run", "upgrade", "configure"))
    parser.add_argument("--timeout-s", type=float, default=60.0)
    options = parser.parse_args()
    settings = MysqlSettings.load()
    if options.action == "configure":
        configure(settings, options.timeout_s)
        return 0
    if options.action == "upgrade":
        upgrade(settings, options.timeout_s)
        return 0
    note_version()
    install()
    _remove_stale_socket()
    command = server_command(settings)
    return os.execv(command[0], command)


def _remove_stale_socket() -> None:
    # A killed server leaves both behind, and a pid file may name a process of somebody else by now.
    for file in (places.mysql_socket(), places.mysql_run() / "mysqld.pid"):
        Path(file).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

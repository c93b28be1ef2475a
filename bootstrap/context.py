"""What the steps of one bootstrap run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bootstrap.files import Owner
from bootstrap.mysql_settings import MysqlSettings
from bootstrap.params import Settings
from bootstrap.programs import Program

# Added to the database's usual port in native mode: 3306 may well be taken on a person's machine.
NATIVE_MYSQL_SHIFT = 10000
ONED_PORT = 2633
_FIRST_USER_PORT, _LAST_PORT = 1024, 65535


class StepError(Exception):
    """A step that cannot be done; the message names the object, what was found and what was expected."""


@dataclass
class Context:
    """One run. ``native``: without a container and root's steps. ``say`` logs a line for the present step."""

    settings: Settings
    native: bool
    say: Callable[[str], None]
    programs: list[Program] = field(default_factory=list)
    mysql: MysqlSettings | None = field(default=None, repr=False)

    @property
    def service(self) -> str:
        """The word of OPENNEBULA_SERVICE."""
        return self.settings["OPENNEBULA_SERVICE"]

    @property
    def has_oned(self) -> bool:
        """Whether the core runs here."""
        return self.service in ("all", "oned")

    @property
    def uses_mysql(self) -> bool:
        """Whether the core's database is MariaDB or MySQL, wherever that runs."""
        return self.settings["ONEBOX_DB"] == "mysql"

    @property
    def has_inner_mysql(self) -> bool:
        """Whether the database server runs here."""
        if self.service == "all":
            return self.uses_mysql and self.settings["MYSQL_HOST"] == "localhost"
        return self.service == "mysqld"

    @property
    def oned_port(self) -> int:
        """Port of the XML-RPC interface."""
        return ONED_PORT + (self.settings.port_offset if self.native else 0)

    @property
    def monitord_port(self) -> int:
        """Port that the agents on the nodes report to, UDP and TCP."""
        return int(self.settings["MONITORD_PORT"]) + (self.settings.port_offset if self.native else 0)

    @property
    def console_port(self) -> int:
        """Port of the websockets to the screens of machines."""
        port = int(self.settings["SUNSTONE_VNC_PORT"]) + (self.settings.port_offset if self.native else 0)
        # A native instance may be that far away: it begins anew above the ports of root.
        return port if port <= _LAST_PORT else port - _LAST_PORT + _FIRST_USER_PORT

    @property
    def oned_url(self) -> str:
        """Where programs of this instance reach the core, without a path."""
        host = "127.0.0.1" if self.has_oned else self.settings["ONED_HOST"]
        return f"http://[{host}]:{self.oned_port}" if ":" in host else f"http://{host}:{self.oned_port}"

    @property
    def mysql_port(self) -> int:
        """Port of the database."""
        port = int(self.settings["MYSQL_PORT"])
        if self.native and self.has_inner_mysql:
            return port + NATIVE_MYSQL_SHIFT + self.settings.port_offset
        return port

    def owner(self, user: str) -> Owner | None:
        """The owner to give files; None natively, where everything belongs to who runs it."""
        if self.native:
            return None
        try:
            return Owner.named(user)
        except KeyError:
            raise StepError(f"user {user} is missing in this image") from None

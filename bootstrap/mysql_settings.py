"""What bootstrap tells the database programs, and what they tell each other."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from bootstrap import places


@dataclass(frozen=True)
class MysqlSettings:
    """What the database programs need to know. ``account_hosts``: where the user may connect from."""

    port: int
    bind_address: str
    database: str
    user: str
    account_hosts: tuple[str, ...]
    password: str = field(repr=False)
    root_password: str = field(repr=False)

    def to_json(self) -> str:
        """The settings file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def load(cls) -> MysqlSettings:
        """The settings that bootstrap left."""
        raw = json.loads(places.mysql_settings().read_text(encoding="utf-8"))
        return cls(**{**raw, "account_hosts": tuple(raw["account_hosts"])})


def is_upgraded() -> bool:
    """Whether the server's own tables are of the version of the server that was started last."""
    try:
        present = places.mysql_upgraded().read_text(encoding="utf-8")
        return present == places.mysql_version().read_text(encoding="utf-8")
    except OSError:
        return False

"""What bootstrap tells the database programs."""

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

"""Zones: the front-ends of a federation, each with the servers that serve it.

Source: zone XSD of release 6.0; checks of release 6.0.0.3.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.model.base import PoolObject, number

NO_ENDPOINT = "-"


class Zone(PoolObject):
    """A zone. ``servers``: vectors with ID, NAME, ENDPOINT and whatever else their administrator gave."""

    KIND, LABEL, TABLE, ROOT, FIRST_USER_ID = "ZONE", "zone", "zone_pool", "ZONE", 100

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.servers: list[Vector] = []

    def to_xml(self) -> str:
        servers = Template([("SERVER", server) for server in self.servers])
        return (
            f"<ZONE><ID>{self.oid}</ID><NAME>{xmldoc.escape(self.name)}</NAME>{self.template.to_xml()}"
            f"{servers.to_xml('SERVER_POOL')}</ZONE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Zone:
        zone = cls(number(element, "ID", -1), element.findtext("NAME") or "")
        zone.template = Template.from_element(element.find("TEMPLATE"))
        zone.servers = Template.from_element(element.find("SERVER_POOL")).vectors("SERVER")
        return zone

    def add_server(self, attributes: Vector) -> int:
        """Add a server; its id. Raises RequestError when it has no NAME or ENDPOINT."""
        for name in ("NAME", "ENDPOINT"):
            if not attributes.get(name):
                raise RequestError(f"{name} is missing in SERVER")
        server_id = 1 + max((int(server.get("ID", "-1")) for server in self.servers), default=-1)
        self.servers.append({**attributes, "ID": str(server_id)})
        return server_id

    def remove_server(self, server_id: int) -> None:
        """Drop a server. Raises RequestError when there is none of that id."""
        rest = [server for server in self.servers if server.get("ID") != str(server_id)]
        if len(rest) == len(self.servers):
            raise RequestError(f"Zone {self.oid} has no server {server_id}")
        self.servers = rest

"""Virtual network templates: the patterns that networks are made from.

Source: virtual network template XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

import time

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.model.base import PoolObject, number
from services.oned.model.vnet_settings import Wiring


class NetworkTemplate(PoolObject):
    """A network template. ``regtime``: epoch seconds of its creation."""

    KIND = "VNTEMPLATE"
    LABEL = "virtual network template"
    TABLE = "vn_template_pool"
    ROOT = "VNTEMPLATE"
    UNIQUE_PER_OWNER = True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.regtime = int(time.time())

    def to_xml(self) -> str:
        return (
            f"<VNTEMPLATE>{self._owner_xml()}{self._lock_xml()}{self.permissions.to_xml()}"
            f"<REGTIME>{self.regtime}</REGTIME>{self.template.to_xml()}</VNTEMPLATE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> NetworkTemplate:
        made = cls(number(element, "ID"), element.findtext("NAME") or "")
        made._read_owner(element)
        made.regtime = number(element, "REGTIME")
        made.template = Template.from_element(element.find("TEMPLATE"))
        return made

    def check_new(self) -> None:
        """Raise RequestError unless a network of the template's driver could be made."""
        wiring = Wiring.of(self.template)
        if not wiring.vn_mad:
            raise RequestError("VN_MAD is mandatory in a virtual network template.")
        wiring.check()

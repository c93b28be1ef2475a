"""VM templates: the patterns that VMs are made from.

Source: VM template XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

import time

from services.common import xmldoc
from services.common.template import Template
from services.oned.model.base import PoolObject, number


class VMTemplate(PoolObject):
    """A VM template. ``regtime``: epoch seconds of its creation."""

    KIND = "TEMPLATE"
    LABEL = "virtual machine template"
    TABLE = "template_pool"
    ROOT = "VMTEMPLATE"
    UNIQUE_PER_OWNER = True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.regtime = int(time.time())

    def to_xml(self) -> str:
        return (
            f"<VMTEMPLATE>{self._owner_xml()}{self._lock_xml()}{self.permissions.to_xml()}"
            f"<REGTIME>{self.regtime}</REGTIME>{self.template.to_xml()}</VMTEMPLATE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> VMTemplate:
        made = cls(number(element, "ID"), element.findtext("NAME") or "")
        made._read_owner(element)
        made.regtime = number(element, "REGTIME")
        made.template = Template.from_element(element.find("TEMPLATE"))
        return made

    @property
    def is_vrouter(self) -> bool:
        """Whether it describes a virtual router, which one.vrouter.instantiate makes."""
        return (self.template.get("VROUTER") or "").upper() == "YES"

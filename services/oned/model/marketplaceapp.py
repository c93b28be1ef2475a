"""Appliances: images, VM templates and service templates that a marketplace offers.

Source: marketplaceapp XSD and appliance attributes of release 6.0; documents of real databases.
"""

from __future__ import annotations

import time
from enum import IntEnum

from services.common import xmldoc
from services.common.template import Template, TemplateValueError
from services.oned.errors import RequestError
from services.oned.model.base import PoolObject, number

# Set by the driver when it has taken the appliance, never by a user.
_DRIVERS_OWN = ("SOURCE", "SIZE", "MD5", "FORMAT", "REGTIME")


class AppType(IntEnum):
    """TYPE of an appliance; the names are the template's values."""

    UNKNOWN = 0
    IMAGE = 1
    VMTEMPLATE = 2
    SERVICE_TEMPLATE = 3

    @classmethod
    def of(cls, text: str) -> AppType:
        """The type that a template means: IMAGE without one, UNKNOWN for another word."""
        return cls.__members__.get(text.upper(), cls.UNKNOWN) if text else cls.IMAGE


class AppState(IntEnum):
    """STATE of an appliance; wire numbers."""

    INIT = 0
    READY = 1
    LOCKED = 2
    ERROR = 3
    DISABLED = 4


class MarketplaceApp(PoolObject):
    """An appliance. ``size_mb`` is what it takes as an image; ``origin_id`` is what it was made from."""

    KIND, LABEL, TABLE, ROOT = "MARKETPLACEAPP", "marketplaceapp", "marketplaceapp_pool", "MARKETPLACEAPP"
    UNIQUE_PER_OWNER = True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.regtime = int(time.time())
        self.zone_id = -1
        self.origin_id = -1
        self.source = ""
        self.md5 = ""
        self.size_mb = 0
        self.description = ""
        self.version = ""
        self.format = ""
        self.apptemplate64 = ""
        self.market_id = -1
        self.market = ""
        self.state = AppState.INIT
        self.type = AppType.IMAGE

    def to_xml(self) -> str:
        return (
            f"<MARKETPLACEAPP><ID>{self.oid}</ID><UID>{self.uid}</UID><GID>{self.gid}</GID>"
            f"<UNAME>{xmldoc.escape(self.uname)}</UNAME><GNAME>{xmldoc.escape(self.gname)}</GNAME>"
            f"{self._lock_xml()}<REGTIME>{self.regtime}</REGTIME><NAME>{xmldoc.escape(self.name)}</NAME>"
            f"<ZONE_ID>{xmldoc.cdata(str(self.zone_id))}</ZONE_ID>"
            f"<ORIGIN_ID>{xmldoc.cdata(str(self.origin_id))}</ORIGIN_ID>"
            f"<SOURCE>{xmldoc.cdata(self.source)}</SOURCE><MD5>{xmldoc.cdata(self.md5)}</MD5>"
            f"<SIZE>{self.size_mb}</SIZE><DESCRIPTION>{xmldoc.cdata(self.description)}</DESCRIPTION>"
            f"<VERSION>{xmldoc.cdata(self.version)}</VERSION><FORMAT>{xmldoc.cdata(self.format)}</FORMAT>"
            f"<APPTEMPLATE64>{xmldoc.cdata(self.apptemplate64)}</APPTEMPLATE64>"
            f"<MARKETPLACE_ID>{self.market_id}</MARKETPLACE_ID>"
            f"<MARKETPLACE>{xmldoc.escape(self.market)}</MARKETPLACE>"
            f"<STATE>{int(self.state)}</STATE><TYPE>{int(self.type)}</TYPE>"
            f"{self.permissions.to_xml()}{self.template.to_xml()}</MARKETPLACEAPP>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> MarketplaceApp:
        app = cls(number(element, "ID"), element.findtext("NAME") or "")
        app._read_owner(element)
        app.regtime = number(element, "REGTIME")
        app.zone_id = number(element, "ZONE_ID", -1)
        app.origin_id = number(element, "ORIGIN_ID", -1)
        app.source = element.findtext("SOURCE") or ""
        app.md5 = element.findtext("MD5") or ""
        app.size_mb = number(element, "SIZE")
        app.description = element.findtext("DESCRIPTION") or ""
        app.version = element.findtext("VERSION") or ""
        app.format = element.findtext("FORMAT") or ""
        app.apptemplate64 = element.findtext("APPTEMPLATE64") or ""
        app.market_id = number(element, "MARKETPLACE_ID", -1)
        app.market = element.findtext("MARKETPLACE") or ""
        app.state = AppState(number(element, "STATE"))
        app.type = AppType(number(element, "TYPE"))
        app.template = Template.from_element(element.find("TEMPLATE"))
        return app

    # -- template ------------------------------------------------------------------------------------
    def settle_new(self) -> None:
        """Complete an appliance that is about to be created from its template. Raises RequestError."""
        template = self.template
        for name in ("NAME", "ZONE_ID", *_DRIVERS_OWN):
            template.remove(name)
        self.type = AppType.of(template.get("TYPE") or "")
        try:
            origin = template.get_int("ORIGIN_ID")
        except TemplateValueError:
            origin = None
        if origin is None:
            raise RequestError("Missing ORIGIN_ID for the MARKETPLACEAPP")
        self.origin_id = origin
        template.remove("ORIGIN_ID")
        self._take_known()
        self.version = self.version or "0.0"
        is_text = self.type in (AppType.VMTEMPLATE, AppType.SERVICE_TEMPLATE)
        self.state = AppState.READY if is_text else AppState.LOCKED

    def settle_update(self) -> None:
        """Bring an appliance in line with its changed template."""
        self._take_known()
        for name in (*_DRIVERS_OWN, "ORIGIN_ID"):
            self.template.remove(name)

    def settle_imported(self, template: Template) -> None:
        """Take everything from the description that a marketplace's driver reports."""
        self.template = template.copy()
        self.state = AppState.READY
        self.type = AppType.of(template.get("TYPE") or "")
        self.origin_id = -1
        self.name = template.get("NAME") or ""
        self.source = template.get("SOURCE") or ""
        self.size_mb = template.get_int("SIZE", 0) or 0
        self.md5 = template.get("MD5") or ""
        self.format = template.get("FORMAT") or ""
        self.regtime = template.get_int("REGTIME", 0) or 0
        self._take_known()
        for name in ("TYPE", "ORIGIN_ID", "NAME", *_DRIVERS_OWN):
            self.template.remove(name)

    def _take_known(self) -> None:
        self.description = self.template.get("DESCRIPTION") or ""
        self.apptemplate64 = self.template.get("APPTEMPLATE64") or ""
        self.version = self.template.get("VERSION") or ""

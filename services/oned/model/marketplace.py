"""Marketplaces: sources of appliances, each with a driver.

Source: marketplace XSD and MARKET_MAD_CONF reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.config import OnedConf
from services.oned.errors import RequestError
from services.oned.model.base import PoolObject, id_list, id_list_xml, number

CREATE, DELETE, MONITOR = "create", "delete", "monitor"
# What drivers can do whose section of oned.conf does not say.
_KNOWN_ACTIONS = {
    "http": "create, monitor, delete",
    "s3": "create, monitor, delete",
    "one": "create, monitor",
}


class Marketplace(PoolObject):
    """A marketplace. ``zone_id`` is the zone that looks after it; sizes are MB."""

    KIND, LABEL, TABLE, ROOT = "MARKETPLACE", "marketplace", "marketplace_pool", "MARKETPLACE"

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.market_mad = ""
        self.zone_id = -1
        self.total_mb = 0
        self.free_mb = 0
        self.used_mb = 0
        self.apps: list[int] = []

    def to_xml(self) -> str:
        return (
            f"<MARKETPLACE>{self._owner_xml()}<MARKET_MAD>{xmldoc.cdata(self.market_mad)}</MARKET_MAD>"
            f"<ZONE_ID>{xmldoc.cdata(str(self.zone_id))}</ZONE_ID><TOTAL_MB>{self.total_mb}</TOTAL_MB>"
            f"<FREE_MB>{self.free_mb}</FREE_MB><USED_MB>{self.used_mb}</USED_MB>"
            f"{id_list_xml('MARKETPLACEAPPS', self.apps)}{self.permissions.to_xml()}"
            f"{self.template.to_xml()}</MARKETPLACE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Marketplace:
        market = cls(number(element, "ID"), element.findtext("NAME") or "")
        market._read_owner(element)
        market.market_mad = element.findtext("MARKET_MAD") or ""
        market.zone_id = number(element, "ZONE_ID", -1)
        market.total_mb = number(element, "TOTAL_MB")
        market.free_mb = number(element, "FREE_MB")
        market.used_mb = number(element, "USED_MB")
        market.apps = id_list(element.find("MARKETPLACEAPPS"))
        market.template = Template.from_element(element.find("TEMPLATE"))
        return market

    # -- driver --------------------------------------------------------------------------------------
    def settle_new(self, conf: OnedConf) -> None:
        """Complete a marketplace that is about to be created from its template. Raises RequestError."""
        self.template.remove("NAME")
        self.template.remove("ZONE_ID")
        self.market_mad = self.template.get("MARKET_MAD") or ""
        if not self.market_mad:
            raise RequestError("No marketplace driver (MARKET_MAD) in template.")
        self._require_attributes(conf, self.market_mad)

    def settle_update(self, conf: OnedConf) -> None:
        """Bring a marketplace in line with its changed template. Raises RequestError."""
        wanted = self.template.get("MARKET_MAD") or ""
        if wanted:
            self._require_attributes(conf, wanted)
            self.market_mad = wanted
        self.template.set("MARKET_MAD", self.market_mad)

    def _require_attributes(self, conf: OnedConf, driver: str) -> None:
        section = conf.driver("MARKET_MAD_CONF", driver)
        if section is None:
            raise RequestError(f'MARKET_MAD_CONF named "{driver}" is not defined in oned.conf')
        for name in section.get("REQUIRED_ATTRS", "").split(","):
            attribute = name.strip().upper()
            if attribute and not self.template.get(attribute):
                raise RequestError(
                    f'MarketPlace template is missing the "{attribute}" attribute or it\'s empty.'
                )

    def can(self, conf: OnedConf, action: str) -> bool:
        """Whether its driver can do CREATE, DELETE (of appliances) or MONITOR: APP_ACTIONS of oned.conf."""
        section = conf.driver("MARKET_MAD_CONF", self.market_mad) or {}
        listed = section.get("APP_ACTIONS") or _KNOWN_ACTIONS.get(self.market_mad, "")
        return action in (word.strip() for word in listed.split(","))

    # -- appliances ----------------------------------------------------------------------------------
    def add_app(self, oid: int) -> None:
        """List an appliance; once."""
        self.apps = sorted({*self.apps, oid})

    def remove_app(self, oid: int) -> None:
        """List an appliance no more."""
        self.apps = [app for app in self.apps if app != oid]

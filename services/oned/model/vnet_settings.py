"""What a network takes from its template: driver, bridge, physical device, VLANs, security groups.

Which attributes a driver needs: virtual network reference of release 6.0. BRIDGE_TYPE comes from the driver's
section VN_MAD_CONF of oned.conf.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.template import Template, Value
from services.oned.config import OnedConf
from services.oned.errors import RequestError
from services.oned.model.address_range import id_set
from services.oned.model.address_range_edit import new_range
from services.oned.model.vnet import VirtualNetwork

BRIDGE_TYPES = ("linux", "openvswitch", "openvswitch_dpdk", "vcenter_port_groups", "none")
# Drivers whose networks cannot be without the attribute. Others, unknown ones too, need none.
NEEDS_BRIDGE = frozenset({"dummy"})
NEEDS_PHYDEV = NEEDS_VLAN = frozenset({"802.1Q", "vxlan"})
NEEDS_OUTER_VLAN = frozenset({"ovswitch_vxlan"})
_DEFAULT_GROUP = 0


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a template connects a network. Empty texts are absent attributes."""

    vn_mad: str
    phydev: str
    bridge: str
    vlan_id: str
    is_vlan_automatic: bool
    outer_vlan_id: str
    is_outer_vlan_automatic: bool

    @classmethod
    def of(cls, template: Template) -> Wiring:
        """What a template says; an id that is given wins over an automatic one."""
        vlan, outer = template.get("VLAN_ID") or "", template.get("OUTER_VLAN_ID") or ""
        return cls(
            template.get("VN_MAD") or "",
            template.get("PHYDEV") or "",
            template.get("BRIDGE") or "",
            vlan,
            not vlan and _is_automatic(template, "AUTOMATIC_VLAN_ID"),
            outer,
            not outer and _is_automatic(template, "AUTOMATIC_OUTER_VLAN_ID"),
        )

    def check(self) -> None:
        """Raise RequestError naming what the driver needs and the template lacks."""
        for drivers, there, name in (
            (NEEDS_PHYDEV, self.phydev, "PHYDEV"),
            (NEEDS_BRIDGE, self.bridge, "BRIDGE"),
            (NEEDS_VLAN, self.vlan_id or self.is_vlan_automatic, "VLAN_ID (or AUTOMATIC_VLAN_ID)"),
            (
                NEEDS_OUTER_VLAN,
                self.outer_vlan_id or self.is_outer_vlan_automatic,
                "OUTER_VLAN_ID (or AUTOMATIC_OUTER_VLAN_ID)",
            ),
        ):
            if self.vn_mad in drivers and not there:
                raise RequestError(f"{name} is mandatory for driver {self.vn_mad}.")


def _is_automatic(template: Template, name: str) -> bool:
    return (template.get(name) or "").upper() == "YES"


def settle_new(net: VirtualNetwork, conf: OnedConf) -> None:
    """Complete a network that has its id and name from its template: wiring, ranges, security groups.

    Automatic VLAN ids are not set here. Raises RequestError, ActionError for a range of an IPAM driver.
    """
    template = net.template
    wiring = Wiring.of(template)
    if not wiring.vn_mad:
        raise RequestError("No VN_MAD in template for Virtual Network.")
    wiring.check()
    _take_wiring(net, wiring)
    net.bridge_type = bridge_type(wiring.vn_mad, conf)
    if not net.bridge and net.bridge_type != "none":
        net.bridge = f"onebr.{net.vlan_id}" if net.vlan_id else f"onebr{net.oid}"
    for name in ("AUTOMATIC_VLAN_ID", "AUTOMATIC_OUTER_VLAN_ID"):
        template.remove(name)
    for name, text in (("VLAN_ID", net.vlan_id), ("OUTER_VLAN_ID", net.outer_vlan_id)):
        if text:
            template.set(name, text)
    template.set("VN_MAD", net.vn_mad)
    template.set("PHYDEV", net.phydev)
    template.set("BRIDGE_TYPE", net.bridge_type)
    template.set("BRIDGE", net.bridge)
    _take_ranges(net, conf)
    groups = template.get("SECURITY_GROUPS") or ""
    listed = sorted({*id_set(groups), _DEFAULT_GROUP})
    template.set("SECURITY_GROUPS", ",".join(map(str, listed)))


def settle_update(net: VirtualNetwork) -> None:
    """Bring a network in line with its changed template; a VLAN id that was given out stays."""
    template = net.template
    wiring = Wiring.of(template)
    automatic = net.is_vlan_automatic, net.is_outer_vlan_automatic
    given_out = net.vlan_id, net.outer_vlan_id
    bridge = net.bridge
    _take_wiring(net, wiring)
    net.bridge = wiring.bridge or bridge
    net.is_vlan_automatic, net.is_outer_vlan_automatic = automatic
    if net.is_vlan_automatic:
        net.vlan_id = given_out[0]
    if net.is_outer_vlan_automatic:
        net.outer_vlan_id = given_out[1]
    for name in ("AUTOMATIC_VLAN_ID", "AUTOMATIC_OUTER_VLAN_ID", "VLAN_ID", "OUTER_VLAN_ID"):
        template.remove(name)
    if not net.is_vlan_automatic:
        template.set("VLAN_ID", net.vlan_id)
    if not net.is_outer_vlan_automatic:
        template.set("OUTER_VLAN_ID", net.outer_vlan_id)
    template.set("VN_MAD", net.vn_mad)
    template.set("PHYDEV", net.phydev)
    template.set("BRIDGE", net.bridge)


def _take_wiring(net: VirtualNetwork, wiring: Wiring) -> None:
    net.vn_mad, net.phydev, net.bridge = wiring.vn_mad, wiring.phydev, wiring.bridge
    net.vlan_id, net.is_vlan_automatic = wiring.vlan_id, wiring.is_vlan_automatic
    net.outer_vlan_id, net.is_outer_vlan_automatic = wiring.outer_vlan_id, wiring.is_outer_vlan_automatic


def _take_ranges(net: VirtualNetwork, conf: OnedConf) -> None:
    written = net.template.vectors("AR")
    net.template.remove("AR")
    for values in written:
        add_range(net, values, conf)


def add_range(net: VirtualNetwork, written: Value, conf: OnedConf) -> None:
    """Give a network one more range, with the network's IPAM driver unless it names its own.

    Raises RequestError, ActionError for a range of an IPAM driver.
    """
    if not isinstance(written, dict):
        raise RequestError("Wrong AR definition. AR must be a vector attribute.")
    ipam_mad = written.get("IPAM_MAD") or net.template.get("IPAM_MAD")
    values = {**written, "IPAM_MAD": ipam_mad} if ipam_mad else written
    net.ranges.append(new_range(values, net.next_ar_id(), conf.settings))


def bridge_type(vn_mad: str, conf: OnedConf) -> str:
    """What kind of bridge a network driver uses. Raises RequestError for a driver that is not configured."""
    for section in conf.settings.vectors("VN_MAD_CONF"):
        if section.get("NAME", "").upper() == vn_mad.upper():
            found = section.get("BRIDGE_TYPE", "")
            if found in BRIDGE_TYPES:
                return found
            raise RequestError(
                f"BRIDGE_TYPE of VN_MAD_CONF {vn_mad} in oned.conf must be one of {', '.join(BRIDGE_TYPES)}; "
                f"found {found[:40]!r}."
            )
    raise RequestError(f'VN_MAD named "{vn_mad}" is not defined in oned.conf.')

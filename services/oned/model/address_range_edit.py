"""Making and changing address ranges from what users write: checks, defaults, what may not change.

Source: virtual network reference of release 6.0 (address ranges); checks of release 6.0.0.3.
"""

from __future__ import annotations

import random
from collections.abc import Collection

from services.common.template import Template, Vector
from services.oned.errors import ActionError, RequestError
from services.oned.model import addresses
from services.oned.model.address_range import SHOWN_ONLY, AddressRange, RangeType, unsigned

_IP4, _IP6, _STATIC = 2, 4, 8
_CORE_ONLY = ("ALLOCATED", "USED_LEASES", "LEASES", "PARENT_NETWORK_AR_ID")
_DEFAULT_MAC_PREFIX = 0x0001


def mac_prefix(settings: Template) -> int:
    """The two bytes of MAC_PREFIX of oned.conf; 00:01 when they cannot be read."""
    number = addresses.parse_mac(f"{settings.get('MAC_PREFIX') or ''}:00:00:00:00")
    return _DEFAULT_MAC_PREFIX if number is None else number >> 32


def new_range(written: Vector, ar_id: int, settings: Template) -> AddressRange:
    """The range that a user describes, as number ``ar_id`` of its network.

    Raises RequestError naming what cannot be used, ActionError for a range of an IPAM driver.
    """
    made = AddressRange({**written, "AR_ID": str(ar_id)})
    values = made.values
    refuse_ipam(made)
    if not made.type:
        found, expected = values.get("TYPE", "")[:40], ", ".join(RangeType.__members__)
        raise RequestError(
            f"Unknown or missing address range TYPE: found {found!r}, expected one of {expected}."
        )
    if not made.size:
        found = values.get("SIZE", "")[:40]
        raise RequestError(f"Wrong SIZE for address range: found {found!r}, expected a positive integer.")
    _check_ip4(made)
    _check_prefixes(made)
    _check_ip6(made)
    _settle_mac(made, settings)
    for name in (*_CORE_ONLY, "PARENT_NETWORK"):
        values.pop(name, None)
    return made


def refuse_ipam(made: AddressRange) -> None:
    """Raise ActionError for a range whose addresses an IPAM driver would hand out."""
    if made.is_ipam:
        driver = made.values["IPAM_MAD"][:40]
        raise ActionError(
            f"Address range {made.ar_id}: IPAM driver {driver!r} is not available in this version."
        )


def _check_ip4(made: AddressRange) -> None:
    if not made.type & _IP4:
        made.values.pop("IP", None)
    elif made.ip is None:
        raise RequestError(f"Wrong or empty IP attribute: found {made.values.get('IP', '')[:40]!r}.")


def _check_prefixes(made: AddressRange) -> None:
    for name, words in (("GLOBAL_PREFIX", "global"), ("ULA_PREFIX", "unique local")):
        if not made.type & _IP6:
            made.values.pop(name, None)
        elif addresses.parse_prefix(made.values.get(name, "")) is None:
            raise RequestError(
                f"Wrong format for IP6 {words} address prefix: found {made.values[name][:40]!r}."
            )


def _check_ip6(made: AddressRange) -> None:
    if not made.type & _STATIC:
        made.values.pop("IP6", None)
        return
    if made.ip6 is None:
        raise RequestError(f"Wrong or empty IP6 attribute: found {made.values.get('IP6', '')[:40]!r}.")
    length = made.values.get("PREFIX_LENGTH", "")
    if unsigned(length) is None:
        raise RequestError(f"Wrong or empty PREFIX_LENGTH: found {length[:40]!r}.")


def _settle_mac(made: AddressRange, settings: Template) -> None:
    text = made.values.get("MAC", "")
    if not text:
        lower = random.getrandbits(32) if made.ip is None else made.ip
        made.values["MAC"] = addresses.format_mac(mac_prefix(settings) << 32 | lower)
    elif addresses.parse_mac(text) is None:
        raise RequestError(f"Wrong format for MAC attribute: found {text[:40]!r}.")


def update_range(changed: AddressRange, written: Vector, restricted: Collection[str]) -> None:
    """Replace a range's attributes by what a user writes, except for those that make it what it is.

    restricted: names whose values stay as they are. Raises RequestError, ActionError for an
    IPAM driver; the range is unchanged then.
    """
    old = changed.values
    is_reservation = changed.parent_ar_id >= 0
    gone = {*_CORE_ONLY, *SHOWN_ONLY, *restricted, "IP", "IP6"}
    new = {name: text for name, text in written.items() if name not in gone}
    new.update({name: old.get(name, "") for name in ("TYPE", "MAC", "AR_ID")})
    for name, is_kept in (
        ("IPAM_MAD", bool(old.get("IPAM_MAD"))),
        ("IP", bool(changed.type & _IP4)),
        ("IP6", bool(changed.type & _STATIC)),
        ("PARENT_NETWORK_AR_ID", is_reservation),
    ):
        if is_kept:
            new[name] = old.get(name, "")
    new.update({name: old[name] for name in restricted if name in old})
    new["SIZE"] = str(_new_size(changed, written, is_reservation))
    if changed.type & _STATIC and unsigned(new.get("PREFIX_LENGTH", "")) is None:
        new["PREFIX_LENGTH"] = old.get("PREFIX_LENGTH", "")
    if changed.type & _IP6:
        for name in ("GLOBAL_PREFIX", "ULA_PREFIX"):
            new.setdefault(name, "")
        _check_prefixes(AddressRange(new))
    if not changed.is_ipam:
        refuse_ipam(AddressRange(new))
    for name in ("PORT_START", "PORT_SIZE"):
        if unsigned(new.get(name, "")) is None:
            new.pop(name, None)
    changed.values = new
    changed.shows_leases = True


def _new_size(changed: AddressRange, written: Vector, is_reservation: bool) -> int:
    """The size that is asked for, or the old one."""
    size = unsigned(written.get("SIZE", ""))
    if size is None:
        return changed.size
    if is_reservation and size != changed.size:
        raise RequestError(
            f"The SIZE of a reservation cannot be changed: it is {changed.size}, found {size}."
        )
    if changed.leases.any_beyond(size):
        raise RequestError(
            f"New SIZE {size} cannot be applied. There are used leases that would fall outside the range."
        )
    return size

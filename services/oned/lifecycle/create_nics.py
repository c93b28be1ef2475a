"""Network interfaces of a new VM, their aliases and passed-through cards: numbers, names, leases, rules.

Source: network section of the virtual machine template reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import context, nic_lease, secgroup_use, vrouter_use
from services.oned.lifecycle.numbers import ids, whole
from services.oned.lifecycle.use_rights import on_behalf
from services.oned.model.vm import VM
from services.oned.store import Tx

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

# Names that the front-end gives; a user's own one of this form gets an underscore in front.
_OWN_NAME = re.compile(r"NIC[0-9]+(_ALIAS[0-9]+)?\Z")
# What a card has of its network and its lease alone. OpenNebula lets whoever makes the VM say it where the
# network does not: an interface of the node for a bridge, another VLAN, an address that its filter lets pass.
_OF_THE_NETWORK = (
    *("VN_MAD", "PHYDEV", "OUTER_VLAN_ID", "BRIDGE_TYPE", "PARENT_NETWORK_ID", "AR_ID", "MTU"),
    *("CONF", "BRIDGE_CONF", "OVS_BRIDGE_CONF", "IP_LINK_CONF", "VXLAN_MODE", "VXLAN_TEP", "VXLAN_MC"),
    *("IP6_LINK", "IP6_GLOBAL", "IP6_ULA"),
)
_OF_THE_ROUTER = "VROUTER_IP"
_NOT_DEFAULT = ("NETWORK_ID", "NETWORK", "NETWORK_UID", "NETWORK_UNAME")


def move_defaults(user: Template, core: Template) -> None:
    """Move NIC_DEFAULT, what every interface has unless it says otherwise. Raises RequestError."""
    given = user.get_all("NIC_DEFAULT")
    user.remove("NIC_DEFAULT")
    if not given:
        return
    if len(given) > 1:
        raise RequestError(f"Only one NIC_DEFAULT attribute can be defined, found {len(given)}.")
    default = given[0]
    if not isinstance(default, dict):
        raise RequestError("Wrong format for NIC_DEFAULT attribute, expected a vector.")
    for name in _NOT_DEFAULT:
        if default.get(name):
            raise RequestError(f"Attribute {name} is not allowed inside NIC_DEFAULT.")
    core.add("NIC_DEFAULT", default)


def settle(call: Call, vm: VM) -> None:
    """Move interfaces and aliases into the core's part, take their leases and add their security rules.

    An interface in automatic mode gets its network at deployment, one without a network none at all.
    Raises RequestError for networks and leases that cannot be had, and aliases without a parent.
    """
    user, core = vm.user_template, vm.template
    nics, aliases = user.vectors("NIC"), user.vectors("NIC_ALIAS")
    user.remove("NIC")
    user.remove("NIC_ALIAS")
    for kind, vectors in (("NIC", nics), ("NIC_ALIAS", aliases)):
        for vector in vectors:
            core.add(kind, vector)
    nics, aliases = core.vectors("NIC"), core.vectors("NIC_ALIAS")
    nics += cards(core)
    if any(is_auto(alias) for alias in aliases):
        raise RequestError("Alias is incompatible with auto mode")
    groups: set[int] = set()
    parents: dict[str, Vector] = {}
    for number, nic in enumerate(nics):
        if is_auto(nic):
            nic["NIC_ID"] = str(number)
            set_name(nic, f"NIC{number}")
            continue
        merge_default(core, nic)
        take_lease(call, vm, nic, number)
        groups.update(ids(nic.get("SECURITY_GROUPS")))
        set_name(nic, f"NIC{number}")
        parents.setdefault(nic["NAME"], nic)
    _settle_aliases(call, vm, aliases, parents, first=len(nics))
    add_rules(call.tx, vm, groups)


def _settle_aliases(
    call: Call, vm: VM, aliases: list[Vector], parents: dict[str, Vector], first: int
) -> None:
    children: dict[str, list[str]] = {}
    for number, alias in enumerate(aliases, start=first):
        name = alias.get("PARENT", "")
        parent = parents.get(name)
        if parent is None:
            raise RequestError(f"NIC named {name} not found for alias")
        listed = children.setdefault(name, [])
        alias["PARENT_ID"] = parent["NIC_ID"]
        alias["ALIAS_ID"] = str(len(listed))
        listed.append(str(number))
        take_lease(call, vm, alias, number)
        set_name(alias, f"NIC{parent['NIC_ID']}_ALIAS{number}")
    for nic in (*vm.template.vectors("NIC"), *aliases, *cards(vm.template)):
        if nic.get("NAME", "") in children:
            nic["ALIAS_IDS"] = ",".join(children[nic["NAME"]])


def lease_auto(call: Call, vm: VM, chosen: Template) -> None:
    """Give the interfaces in automatic mode the networks that a scheduler chose, with leases and context.

    chosen: NIC vectors with NIC_ID and NETWORK_ID. Raises RequestError when one of them is not in automatic
    mode or has a network, and for leases that cannot be had.
    """
    nics = {nic.get("NIC_ID"): nic for nic in vm.nics()}
    for choice in chosen.vectors("NIC"):
        nic = nics.get(choice.get("NIC_ID"))
        if nic is None or not is_auto(nic) or nic.get("NETWORK_ID"):
            raise RequestError(f"NIC_ID {choice.get('NIC_ID')} not found or not AUTO", vm.oid)
        nic["NETWORK_ID"] = choice.get("NETWORK_ID", "")
    groups: set[int] = set()
    for nic in vm.nics():
        number = whole(nic.get("NIC_ID"))
        if not is_auto(nic) or number is None or nic.get("MAC"):
            continue
        merge_default(vm.template, nic)
        take_lease(call, vm, nic, number)
        groups.update(ids(nic.get("SECURITY_GROUPS")))
    add_rules(call.tx, vm, groups)
    context.write_network(call.tx, vm, auto_nics=True)


# -- what attaching needs, too -----------------------------------------------------------------------------
def cards(template: Template) -> list[Vector]:
    """The PCI devices that are network cards."""
    return [device for device in template.vectors("PCI") if device.get("TYPE") == "NIC"]


def is_auto(nic: Vector) -> bool:
    """Whether the scheduler chooses the interface's network."""
    return nic.get("NETWORK_MODE", "").upper() == "AUTO"


def merge_default(core: Template, nic: Vector) -> None:
    """Give an interface what NIC_DEFAULT says and it does not."""
    for name, text in (core.get_vector("NIC_DEFAULT") or {}).items():
        nic.setdefault(name, text)


def take_lease(call: Call, vm: VM, nic: Vector, number: int) -> None:
    """Number an interface and take its lease, if it names a network. Raises RequestError naming it."""
    nic["NIC_ID"] = str(number)
    if not nic.get("NETWORK_ID") and not nic.get("NETWORK"):
        return  # bridge and address are given by hand
    owner = on_behalf(call, vm.uid)
    _forget_foreign(owner, vm, nic)
    try:
        nic_lease.lease(owner, nic_lease.resolve(owner, nic), nic, "VM", vm.oid)
    except RequestError as error:
        raise RequestError(f"NIC {number}: {error.message}", vm.oid) from None


def _forget_foreign(owner: Call, vm: VM, nic: Vector) -> None:
    """Take out of an interface what only its network says, and addresses that are not of the VM's router."""
    for name in _OF_THE_NETWORK:
        nic.pop(name, None)
    shared = [name for name in nic if name.startswith(_OF_THE_ROUTER)]
    if shared:
        floating = vrouter_use.floating(owner, vm)
        for name in shared:
            if nic[name] not in floating:
                del nic[name]


def set_name(nic: Vector, default: str) -> None:
    """Make sure that an interface has a name, and none that only the front-end gives."""
    name = nic.get("NAME", "")
    if not name:
        nic["NAME"] = default
    elif _OWN_NAME.match(name):
        nic["NAME"] = f"_{name}"


def add_rules(tx: Tx, vm: VM, groups: set[int]) -> None:
    """List the VM in security groups and repeat their rules in its document."""
    if not groups:
        return
    secgroup_use.add(tx, sorted(groups), vm.oid)
    for rule in secgroup_use.rules(tx, sorted(groups)):
        vm.template.add("SECURITY_GROUP_RULE", rule)

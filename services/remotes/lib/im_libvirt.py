"""The machines of a node as its libvirt lists them: one call of virsh for all of them.

Only the read-only connection is used. Source: virsh(1), libvirt's virDomainState and its reasons; which of
them is which state of a monitor message: release 6.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from driver import DriverError, document, run
from im_context import Context
from im_text import line, shell_setting, vector

_SETTINGS = ("etc", "vmm", "kvm", "kvmrc")
_DEFAULT_URI = "qemu:///system"
_TIMEOUT_S = 60.0
_LISTED = re.compile(r"\s*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s+(\S.*)\Z")
_OURS = re.compile(r"one-(\d{1,9})\Z")
_PAUSED = 3
# virDomainState: running, blocked, shutdown (asked to, still there), crashed, suspended by the guest itself.
_STATES = {1: "RUNNING", 2: "RUNNING", 4: "RUNNING", 6: "FAILURE", 7: "SUSPENDED"}
# virDomainPausedReason: migrated, saved or started, which the driver knows of; by a user; after a fault.
_PAUSED_STATES = {
    **dict.fromkeys((2, 3, 11), "RUNNING"),
    1: "SUSPENDED",
    **dict.fromkeys((0, 5, 6, 10, 13), "FAILURE"),
}


@dataclass
class Domain:
    """A machine that is there. vm_id: the VM's number, -1 for one that is not ours."""

    uuid: str
    name: str
    vm_id: int
    state: str = "UNKNOWN"
    stats: dict[str, str] = field(default_factory=dict)

    def total(self, kind: str, counter: str) -> int:
        """The sum of a counter (``rx.bytes``, ``rd.reqs``) over its disks (``block``) or cards (``net``)."""
        rows = re.compile(rf"{kind}\.\d+\.{re.escape(counter)}\Z")
        return sum(int(value) for key, value in self.stats.items() if rows.match(key) and value.isdigit())


def domains(at: Context, *figures: str) -> list[Domain]:
    """All active machines with their states and these groups of figures (``--cpu-total`` …).

    Raises DriverError when libvirt does not answer: that there is no answer must not look as if there were no
    machines.
    """
    options = " ".join(("--state", *figures))
    text = _virsh(at, f"list --uuid --name; domstats --nowait --list-active {options}")
    found: dict[str, Domain] = {}
    current: Domain | None = None
    reported: list[Domain] = []
    for row in text.splitlines():
        listed = _LISTED.match(row)
        if listed is not None:
            name = listed[2].rstrip()
            ours = _OURS.match(name)
            found[name] = Domain(listed[1], name, int(ours[1]) if ours else -1)
        elif row.startswith("Domain: '"):
            current = found.get(row[len("Domain: '") : -1])
            if current is not None:
                reported.append(current)
        elif current is not None and "=" in row:
            key, _, value = row.strip().partition("=")
            current.stats[key] = value
    for domain in reported:
        number = int(domain.stats.get("state.state", "0"))
        reason = int(domain.stats.get("state.reason", "0"))
        states, which = (_PAUSED_STATES, reason) if number == _PAUSED else (_STATES, number)
        domain.state = states.get(which, "UNKNOWN")
    return reported


def machines_models(at: Context) -> str:
    """KVM_MACHINES, KVM_CPU_MODELS and KVM_CPU_MODEL: what a VM's OS/MACHINE and CPU_MODEL/MODEL can be."""
    root = document(_virsh(at, "capabilities"))
    machines: dict[str, None] = {}
    models: dict[str, None] = {}
    for arch in ("i686", "x86_64"):
        node = root.find(f"guest/arch[@name='{arch}']")
        if node is None:
            continue
        # The machines of the best domain type go before those of the architecture.
        places = [node.find(f"domain[@type='{kind}']") for kind in ("kvm", "qemu")]
        for place in (*places, node):
            names = [machine.text for machine in place.findall("machine") if machine.text] if place else []
            if names:
                machines.update(dict.fromkeys(names))
                break
        rows = (row.strip() for row in _virsh(at, f"cpu-models {arch}").splitlines())
        models.update(dict.fromkeys(row for row in rows if row and " " not in row))
    return (
        line("KVM_MACHINES", " ".join(machines))
        + line("KVM_CPU_MODELS", " ".join(models))
        + line("KVM_CPU_MODEL", root.findtext("host/cpu/model") or "")
    )


def import_template(at: Context, domain: Domain) -> str:
    """The template with which a machine that is not ours can be imported; empty when it has just gone."""
    try:
        root = document(_virsh(at, f"dumpxml {domain.uuid}"))
    except DriverError:
        return ""
    kind = root.find("os/type")
    vcpus = (root.findtext("vcpu") or "1").strip()
    said = [
        line("NAME", domain.name),
        line("CPU", vcpus),
        line("VCPU", vcpus),
        line("MEMORY", int(root.findtext("memory") or 0) // 1024),
        line("HYPERVISOR", "kvm"),
        line("DEPLOY_ID", domain.uuid),
        vector("OS", {"ARCH": kind.get("arch", "") if kind is not None else ""}),
    ]
    features = [name for name in ("acpi", "apic", "pae") if root.find(f"features/{name}") is not None]
    if features:
        said.append(vector("FEATURES", {name.upper(): "yes" for name in features}))
    for protocol in ("spice", "vnc"):
        graphics = root.find(f"devices/graphics[@type='{protocol}']")
        if graphics is not None:
            said.append(vector("GRAPHICS", {"TYPE": protocol, "PORT": graphics.get("port", "")}))
    return "".join(said)


def _virsh(at: Context, commands: str) -> str:
    """What virsh prints for commands that hold nothing of a user's."""
    uri = at.memory.get("libvirt.uri")
    if uri is None:
        uri = at.memory["libvirt.uri"] = shell_setting(at.read(*_SETTINGS), "LIBVIRT_URI") or _DEFAULT_URI
    return run(
        ["virsh", "--readonly", "--connect", uri, commands],
        env={"LANG": "C", "LC_ALL": "C"},
        timeout_s=_TIMEOUT_S,
    )

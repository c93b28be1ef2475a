"""The catalogue of configuration files: path, format, owner and mode of each file that onecfg knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

ETC = "/etc/one"
REMOTES_ETC = "/var/lib/one/remotes/etc"

# Format by the class names that change descriptors in YAML use.
CLASSES = {
    "Augeas::ONE": "oned",
    "Augeas::Shell": "shell",
    "Yaml": "yaml",
    "Yaml::Strict": "yaml-strict",
    "Simple": "simple",
}


@dataclass(frozen=True)
class Entry:
    """One row: pattern of absolute paths (``*`` in a folder, ``**/`` for folders), class, owner, mode."""

    pattern: str
    class_name: str
    owner: str = "root"
    group: str = "oneadmin"
    mode: int = 0o640

    @property
    def format(self) -> str:
        """oned, shell, yaml, yaml-strict or simple."""
        return CLASSES[self.class_name]


def _etc(class_name: str, *names: str) -> list[Entry]:
    return [Entry(f"{ETC}/{name}", class_name) for name in names]


def _remotes(class_name: str, *names: str) -> list[Entry]:
    return [Entry(f"{REMOTES_ETC}/{name}", class_name, "oneadmin", "oneadmin") for name in names]


def _older(class_name: str, name: str) -> Entry:
    return Entry(f"/var/lib/one/remotes/{name}", class_name, "oneadmin", "oneadmin")


ENTRIES: tuple[Entry, ...] = (
    *_etc("Augeas::ONE", "oned.conf", "sched.conf", "monitord.conf"),
    *_etc("Augeas::ONE", "vmm_exec/vmm_exec_kvm.conf", "vmm_exec/vmm_exec_vcenter.conf"),
    *_etc("Augeas::Shell", "defaultrc", "tmrc", "hm/hmrc", "vmm_exec/vmm_execrc"),
    *_etc("Yaml", "sunstone-server.conf", "oneflow-server.conf", "onegate-server.conf", "onehem-server.conf"),
    *_etc("Yaml", "fireedge-server.conf", "econe.conf", "sunstone-views.yaml", "sunstone-views/**/*.yaml"),
    *_etc("Yaml", "auth/x509_auth.conf", "auth/server_x509_auth.conf"),
    *_etc("Yaml", "ec2_driver.conf", "az_driver.conf", "vcenter_driver.conf"),
    *_etc("Yaml::Strict", "auth/ldap_auth.conf", "sunstone-logos.yaml"),
    Entry(f"{ETC}/cli/*.yaml", "Yaml::Strict", "root", "root", 0o644),
    *_etc("Simple", *(f"{kind}_driver.default" for kind in ("ec2", "az", "vcenter", "packet"))),
    *_etc("Simple", "ec2query_templates/*.erb"),
    *_remotes("Augeas::Shell", "datastore/datastore.conf", "datastore/fs/fs.conf"),
    *_remotes("Augeas::Shell", "datastore/ceph/ceph.conf"),
    *_remotes("Augeas::Shell", "market/http/http.conf", "tm/fs_lvm/fs_lvm.conf", "tm/ssh/sshrc"),
    *_remotes("Augeas::Shell", "vmm/kvm/kvmrc"),
    *_remotes("Yaml", "vmm/lxc/lxcrc", "vmm/lxd/lxdrc", "vmm/firecracker/firecrackerrc"),
    *_remotes("Yaml", "vmm/vcenter/vcenterrc"),
    *_remotes("Yaml", "vnm/OpenNebulaNetwork.conf"),
    *_remotes("Yaml", *(f"im/{kind}-probes.d/pci.conf" for kind in ("kvm", "qemu", "lxd"))),
    *_remotes("Yaml", *(f"im/{kind}-probes.d/probe_db.conf" for kind in ("kvm", "qemu", "lxd", "lxc"))),
    *_remotes("Yaml", "im/firecracker-probes.d/probe_db.conf"),
    # Where releases before 5.6 kept them.
    _older("Augeas::Shell", "datastore/ceph/ceph.conf"),
    _older("Augeas::Shell", "vmm/kvm/kvmrc"),
    _older("Yaml", "vnm/OpenNebulaNetwork.conf"),
    # Of this product: settings of the dummy drivers.
    *_remotes("Augeas::Shell", "dummy/dummyrc"),
)  # fmt: skip


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]+")
    return re.compile(escaped)


def find(name: str) -> Entry | None:
    """The row of an absolute path such as /etc/one/oned.conf; None for a path that no row has."""
    if any(part in ("", ".", "..") for part in name.split("/")[1:]):
        return None
    return next((entry for entry in ENTRIES if _expression(entry.pattern).fullmatch(name)), None)


def guess(path: str) -> Entry | None:
    """The row whose path ends like this one, for a file that lies elsewhere (a copy, another prefix)."""
    parts = [part for part in path.split("/") if part]
    for start in range(len(parts)):
        for folder in (ETC, REMOTES_ETC):
            if (entry := find("/".join([folder, *parts[start:]]))) is not None:
                return entry
    return None

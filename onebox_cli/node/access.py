"""Who comes in and what they may do: keys, settings of SSH, and commands as root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node.item import Finding, OwnFile, read, run, write
from onebox_cli.node.wanted import HOME, USER, USER_ID

SSH = HOME / ".ssh"
_SERVER_FOLDER = Path("/etc/ssh")
_CLIENT = f"""\
# For driver actions that go on to another node (onebox node), with the front-end's forwarded key.
Host *
  StrictHostKeyChecking accept-new
  UserKnownHostsFile {SSH}/known_hosts
  BatchMode yes
  ConnectTimeout 15
  ServerAliveInterval 15
"""
_SERVER = f"""\
# For a front-end that runs many actions at once (onebox node).
MaxStartups 100:30:200
MaxSessions 100
UseDNS no
Match User {USER}
    AuthenticationMethods publickey
    AllowAgentForwarding yes
    AllowTcpForwarding no
    X11Forwarding no
    PermitTunnel no
"""
# Single commands with their first words, as the driver actions run them; rules and sets come on standard
# input. Never with free parameters: iptables --modprobe, nft -f, ip -batch and ip netns exec run or read
# what they are told; `ip link … xdp` loads programs into the kernel. Patterns need sudo 1.9.10 (Debian 12).
_LINK = "[A-Za-z0-9_.:-]{1,15}"
_NET = (
    f"/usr/sbin/ip ^link add name {_LINK} group 9869 up( link {_LINK})?( mtu [0-9]{{1,5}})?"
    " type (bridge|vlan|vxlan)( [A-Za-z0-9_.:/%-]+)*$",
    f"/usr/sbin/ip ^link set dev {_LINK} (master {_LINK} up|nomaster)$",
    f"/usr/sbin/ip ^link delete dev {_LINK}$",
    "/usr/sbin/iptables-save -t filter",
    "/usr/sbin/ip6tables-save -t filter",
    "/usr/sbin/ebtables-save -t nat",
    "/usr/sbin/iptables-restore --noflush --wait 30",
    "/usr/sbin/ip6tables-restore --noflush --wait 30",
    "/usr/sbin/ebtables-restore --noflush",
    "/usr/sbin/ipset list -name",
    # A line of its input may name a file to write: it is nobody, with the right to administer networks.
    "/usr/bin/setpriv --reuid\\=nobody --regid\\=nogroup --clear-groups --inh-caps\\=-all\\,+net_admin"
    " --ambient-caps\\=-all\\,+net_admin --bounding-set\\=-all\\,+net_admin /usr/sbin/ipset restore -exist",
)
_MEMORY = ("/usr/sbin/sysctl vm.drop_caches=3 vm.compact_memory=1",)


def sudoers() -> str:
    """The sudoers file."""
    return "\n".join([
        "# What driver actions of OpenNebula may do as root (onebox node).",
        f"Defaults:{USER} !requiretty",
        f"Defaults:{USER} secure_path=/usr/sbin:/usr/bin:/sbin:/bin",
        f"Cmnd_Alias ONEBOX_NET = {', '.join(_NET)}",
        f"Cmnd_Alias ONEBOX_MEM = {', '.join(_MEMORY)}",
        f"{USER} ALL=(root) NOPASSWD: ONEBOX_NET, ONEBOX_MEM",
    ]) + "\n"  # fmt: skip


def items() -> list[OwnFile]:
    """The files with settings of sudo and of SSH's server."""
    return [
        OwnFile("sudo", Path("/etc/sudoers.d/onebox-node"), sudoers(), 0o440, ("visudo", "-c", "-q", "-f")),
        OwnFile("ssh server", _SERVER_FOLDER / "sshd_config.d/onebox-node.conf", _SERVER),
    ]


class HostKeys:
    """The keys by which others know this machine."""

    name = "host keys"

    def examine(self) -> Finding:
        """Whether there are any."""
        there = sorted(path.name.split("_")[2] for path in _SERVER_FOLDER.glob("ssh_host_*_key"))
        return Finding(" ".join(there)) if there else Finding("none", "ssh-keygen -A")

    def apply(self) -> None:
        """Make them."""
        run("ssh-keygen", "-A")


@dataclass(frozen=True)
class Keys:
    """Public keys of front-ends that may come in as oneadmin; others that are there stay."""

    keys: tuple[str, ...]
    name: str = "keys"
    path: Path = SSH / "authorized_keys"

    def examine(self) -> Finding:
        """Whether all are let in."""
        there = [line for line in read(self.path).splitlines() if line.strip() and not line.startswith("#")]
        missing = [key for key in self.keys if key not in there]
        if missing:
            return Finding(f"{len(missing)} of {len(self.keys)} keys are missing", f"add them to {self.path}")
        if not there:
            return Finding("no front-end may come in", "give its public key: --key FILE")
        return Finding(f"{len(there)} may come in")

    def apply(self) -> None:
        """Add those that are missing."""
        there = read(self.path).splitlines()
        there += [key for key in self.keys if key not in there]
        write(self.path, "".join(f"{line}\n" for line in there), 0o600, (USER_ID, USER_ID))


@dataclass(frozen=True)
class ClientConfig:
    """oneadmin's settings of ssh, for actions that copy from node to node; an administrator's own stay."""

    name: str = "ssh client"
    path: Path = SSH / "config"

    def examine(self) -> Finding:
        """Whether there are settings."""
        if not self.path.exists():
            return Finding("not there", f"write {self.path}")
        text = read(self.path)
        return Finding(str(self.path) if text == _CLIENT else f"{self.path}, an administrator's own")

    def apply(self) -> None:
        """Write them."""
        write(self.path, _CLIENT, 0o600, (USER_ID, USER_ID))

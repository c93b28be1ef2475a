"""Steps for SSH: the server's keys and configuration, oneadmin's key pair, known hosts, client settings."""

from __future__ import annotations

from bootstrap import files, given, places, ssh_keys
from bootstrap.context import Context, StepError
from bootstrap.steps import ssh_native

_LOCK_TIMEOUT_S = 120.0
_DEFAULT_PORT = 22
_MARK = "# Written by bootstrap at every start"
_COMMENT = "oneadmin@onebox"


def server(context: Context) -> None:
    """Make the host keys when they are not there, and write the server's configuration."""
    root = context.owner("root")
    folder = places.ssh_host_keys()
    files.folder(folder, 0o700, root)
    made = []
    with files.locked(folder, _LOCK_TIMEOUT_S):
        for kind in ssh_keys.HOST_KEYS:
            file = folder / f"ssh_host_{kind}_key"
            if files.exists(file):
                files.own(file, 0o600, root)
                continue
            pair = ssh_keys.generate(kind)
            files.write(file, pair.private, 0o600, root)
            files.write(file.with_suffix(".pub"), f"{pair.public}\n", 0o644, root)
            made.append(kind)
    ports = sorted({_DEFAULT_PORT, _port(context)})
    files.write(places.sshd_conf(), _sshd_config(ports), 0o600, root)
    keys = f"made host keys {', '.join(made)}" if made else "host keys are there"
    context.say(f"port {' and '.join(map(str, ports))}, {keys}")


def _sshd_config(ports: list[int]) -> str:
    return "\n".join([
        f"{_MARK}; changes do not last.",
        *(f"Port {port}" for port in ports),
        *(f"HostKey {places.ssh_host_keys() / f'ssh_host_{kind}_key'}" for kind in ssh_keys.HOST_KEYS),
        "PidFile none",
        "LogLevel INFO",
        # Nodes come as oneadmin, with oneadmin's key; nobody else has anything to do here.
        "AllowUsers oneadmin",
        "PermitRootLogin no",
        f"AuthorizedKeysFile {places.ssh() / 'authorized_keys'}",
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "X11Forwarding no",
        "AllowTcpForwarding no",
        "PermitTunnel no",
        "PrintMotd no",
        "UseDNS no",
        "MaxStartups 100:30:200",
        "MaxSessions 100",
        "Subsystem sftp internal-sftp",
    ]) + "\n"  # fmt: skip


def key_pair(context: Context) -> None:
    """Install oneadmin's own key pair; else keep what is there, else make one."""
    owner = context.owner("oneadmin")
    folder = places.ssh()
    files.folder(folder, 0o700, owner)
    private, public = folder / "id_rsa", folder / "id_rsa.pub"
    try:
        pair = given.ssh_pair(context.settings)
        said = "your own key"
        if pair is None and files.exists(private):
            pair = ssh_keys.check(
                files.read(private).encode(), files.read(public).encode() if files.exists(public) else None
            )
            said = "the key that was there"
        elif pair is None:
            pair, said = ssh_keys.generate("rsa", _COMMENT), "a new key"
    except given.GivenError as error:
        raise StepError(str(error)) from None
    except ssh_keys.SshKeyError as error:
        raise StepError(f"{private}: {error}; remove both files to have a new pair made") from None
    before = files.read(public).strip() if files.exists(public) else ""
    files.write(private, pair.private, 0o600, owner)
    files.write(public, f"{pair.public}\n", 0o644, owner)
    _authorize(context, pair.public, before)
    context.say(f"{private}: {said}")


def _authorize(context: Context, public: str, before: str) -> None:
    """Let the key in, and the one that it replaces no more; what else an operator let in stays."""
    file = places.ssh() / "authorized_keys"
    lines = files.read(file).splitlines() if files.exists(file) else []
    old = before.split()[:2]
    if old != public.split()[:2]:
        lines = [line for line in lines if not old or line.split()[:2] != old]
    if public not in lines:
        lines.append(public)
    files.write(file, "\n".join(lines) + "\n", 0o600, context.owner("oneadmin"))


def client(context: Context) -> None:
    """Write oneadmin's client settings and known hosts, and pass the public parts on."""
    if context.native:
        ssh_native.client(context)
        return
    owner = context.owner("oneadmin")
    files.folder(places.ssh_sockets(), 0o700, owner)
    files.folder(places.ssh() / "config.d", 0o700, owner)
    config = places.ssh() / "config"
    if files.exists(config) and not files.read(config).startswith(_MARK):
        context.say(f"{config} is an operator's own, left as it is")
    else:
        files.write(config, _client_config(context), 0o600, owner)
    _know_own_host(context)
    if places.ssh_copyback().is_dir():
        for name, mode in (("authorized_keys", 0o600), ("config", 0o600), ("id_rsa.pub", 0o644)):
            files.write(places.ssh_copyback() / name, files.read(places.ssh() / name), mode, owner)
        context.say(f"public parts copied to {places.ssh_copyback()}")
    host, port = context.settings["OPENNEBULA_SSH_HOST"], _port(context)
    context.say(f"front-end {host} port {port}, nodes port {context.settings['ONEBOX_NODE_SSH_PORT']}")


def _client_config(context: Context) -> str:
    host = context.settings["OPENNEBULA_SSH_HOST"]
    lines = [
        f"{_MARK}, while this line is the first. Settings for single nodes: files in config.d.",
        "Include config.d/*",
        "",
        "# The front-end itself, as nodes reach it: they can use this file, too.",
        f"Host {host}",
        f"  Port {_port(context)}",
        "",
        "Host *",
        f"  Port {context.settings['ONEBOX_NODE_SSH_PORT']}",
        "  StrictHostKeyChecking accept-new",
        "  ServerAliveInterval 10",
        "  # Drivers that share connections say so; what is older than a minute is ended by a cleaner.",
        "  ControlMaster no",
        "  ControlPersist 70s",
        f"  ControlPath {places.ssh_sockets()}/ctl-M-%C.sock",
    ]
    return "\n".join(lines) + "\n"


def _know_own_host(context: Context) -> None:
    """The front-end knows its own server, when that runs in this container."""
    names = [context.settings["OPENNEBULA_SSH_HOST"], "localhost"]
    port = _port(context)
    hosts = ",".join(name if port == _DEFAULT_PORT else f"[{name}]:{port}" for name in dict.fromkeys(names))
    wanted = []
    for kind in ssh_keys.HOST_KEYS:
        file = places.ssh_host_keys() / f"ssh_host_{kind}_key.pub"
        if files.exists(file):
            wanted.append(f"{hosts} {' '.join(files.read(file).split()[:2])}")
    if not wanted:
        return
    file = places.ssh() / "known_hosts"
    # Lines about these names with other keys would make ssh refuse.
    lines = [
        line
        for line in (files.read(file).splitlines() if files.exists(file) else [])
        if line.split(" ")[0] != hosts
    ]
    files.write(file, "\n".join([*lines, *wanted]) + "\n", 0o600, context.owner("oneadmin"))


def _port(context: Context) -> int:
    return int(context.settings["OPENNEBULA_SSH_PORT"])

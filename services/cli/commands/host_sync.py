"""``onehost sync``: the drivers of the front-end, copied to hosts over rsync or ssh.

The monitoring agents of the hosts notice newer actions by themselves and go on with them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, template_text
from services.cli.commands.host_handlers import chosen_hosts
from services.cli.documents import text_of
from services.cli.errors import EXIT_FAILURE, CliError
from services.cli.progress import Progress
from services.common.oca import OneError

_AT_ONCE = 15
_LIMIT_S = 300.0
_DEFAULT_FOLDER = "/var/tmp/one"
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15")


def sync(inv: Any) -> int:
    """Copy to every chosen host that has an older version, and note the version in the host."""
    from services.common import paths

    folder = paths.remotes()
    try:
        owner = folder.stat().st_uid
        version = (folder / "VERSION").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CliError(f"{folder}/VERSION: {error.strerror}; this works on the front-end only.") from None
    if os.getuid() == 0 and owner != 0:  # a front-end under a prefix may be root's own
        raise CliError("onehost sync must not run as root: the hosts know oneadmin's key (su - oneadmin).")
    if not re.fullmatch(r"\d+(\.\d+)*", version):
        raise CliError(f"{folder}/VERSION: expected a version such as 6.0.0, found {version[:40]!r}")
    hosts = [host for host in chosen_hosts(inv) if _is_due(host, version, bool(inv.opts.force))]
    if not hosts:
        inv.out("No hosts are going to be updated.")
        return 0
    for host in hosts:
        inv.out(f"* Adding {text_of(host, 'NAME')} to upgrade")
    target = _remote_folder(inv)
    failed = []
    with ThreadPoolExecutor(_AT_ONCE) as pool, Progress() as progress:
        copies = {
            pool.submit(_copy, str(folder), text_of(host, "NAME"), target, bool(inv.opts.ssh)): host
            for host in hosts
        }
        for count, copy in enumerate(as_completed(copies), 1):
            host = copies[copy]
            fault = copy.result() or _note_version(inv, host, version)
            if fault:
                failed.append(f"* {text_of(host, 'NAME')}: {fault}")
            progress.show(f"{count}/{len(hosts)} hosts, last {text_of(host, 'NAME')}")
    if failed:
        inv.warn("\n".join(["Failed to update the following hosts:", *sorted(failed)]))
        return EXIT_FAILURE
    inv.out("All hosts updated successfully.")
    return 0


def _is_due(host: Element, version: str, is_forced: bool) -> bool:
    if text_of(host, "VM_MAD").lower() == "vcenter":
        return False
    known = text_of(host, "TEMPLATE/VERSION")
    if is_forced or not re.fullmatch(r"\d+(\.\d+)*", known):
        return True
    return [int(part) for part in known.split(".")] < [int(part) for part in version.split(".")]


def _remote_folder(inv: Any) -> str:
    """Where drivers lie on hosts; only oneadmin may read the configuration, others get the default."""
    try:
        found = documents.parse(inv.call("system.config"))
    except OneError:
        return _DEFAULT_FOLDER
    return text_of(found, "SCRIPTS_REMOTE_DIR", _DEFAULT_FOLDER)


def _copy(folder: str, host: str, target: str, over_ssh: bool) -> str:
    """Copy to one host; why that failed, or nothing."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", host):
        return f"{host!r} is no host name"
    if over_ssh:
        # Beside the present ones, and then in their place: actions and the agent run meanwhile.
        now, new, old = (shlex.quote(target.rstrip("/") + end) for end in ("", ".new", ".old"))
        unpack = (
            f"rm -rf {new} {old} && mkdir -p {new} && tar -xf - -C {new} && "
            f"{{ [ ! -e {now} ] || mv -T {now} {old}; }} && mv -T {new} {now} && rm -rf {old}"
        )
        packed = subprocess.Popen(["tar", "-chf", "-", "-C", folder, "."], stdout=subprocess.PIPE)
        done = _run([*_SSH, "--", host, unpack], packed.stdout)
        if packed.stdout is not None:
            packed.stdout.close()
        return done or ("" if packed.wait() == 0 else "tar failed")
    return _run(
        ["rsync", "-Laz", "--delete", "-e", shlex.join(_SSH), f"{folder}/", f"{host}:{target}/"], None
    )


def _environment() -> dict[str, str]:
    """The environment, in which a front-end under a prefix finds the ssh that uses its own key."""
    from services.common import paths

    return {**os.environ, "PATH": f"{paths.ssh_programs()}:{os.environ.get('PATH', os.defpath)}"}


def _run(command: list[str], stdin: Any) -> str:
    source = stdin if stdin is not None else subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, stdin=source, capture_output=True, timeout=_LIMIT_S, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} took longer than {_LIMIT_S:.0f} s"
    except OSError as error:
        return f"{command[0]} cannot be started: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    last = [row for row in said if not row.startswith("rsync")][-1:] or said[
        -1:
    ]  # ssh's reason, if it has one
    return f"{command[0]} exit code {done.returncode}{': ' + last[0] if last else ''}"


def _note_version(inv: Any, host: Element, version: str) -> str:
    try:
        inv.call("host.update", int(text_of(host, "ID")), f"VERSION={template_text.quote(version)}", 1)
    except OneError as error:
        return str(error)
    return ""

"""Packages, the account and its folders."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node import packages
from onebox_cli.node.item import Finding, Unfit, run
from onebox_cli.node.wanted import HOME, USER, USER_ID

_GROUPS = ("libvirt", "kvm")


class Packages:
    """The Debian packages."""

    name = "packages"

    def examine(self) -> Finding:
        """Which are missing."""
        missing = packages.missing()
        if missing:
            return Finding(f"missing: {', '.join(missing)}", f"apt-get install {' '.join(missing)}")
        return Finding(f"{len(packages.PACKAGES)} installed")

    def apply(self) -> None:
        """Install them."""
        try:
            packages.install(packages.missing())
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", b"") or b"").decode(errors="replace").strip()[-600:]
            raise Unfit(f"apt-get failed: {said or error}") from None


class User:
    """oneadmin, with OpenNebula's number, no password, and the groups that may use libvirt."""

    name = "user"

    def examine(self) -> Finding:
        """Whether the account is there and is the one meant."""
        try:
            account = pwd.getpwnam(USER)
        except KeyError:
            return Finding("not there", f"make user {USER}, number {USER_ID}, in {' and '.join(_GROUPS)}")
        if account.pw_uid != USER_ID or account.pw_gid != USER_ID:
            found = f"{USER} has numbers {account.pw_uid}:{account.pw_gid}"
            return Finding(found, f"expected {USER_ID}:{USER_ID} as on the front-end; change it with usermod")
        if Path(account.pw_dir) != HOME:
            return Finding(f"{USER} lives in {account.pw_dir}", f"usermod --home {HOME} {USER}")
        missing = [name for name in _GROUPS if not _is_member(name)]
        if missing:
            return Finding(
                f"not in {', '.join(missing)}", f"usermod --append --groups {','.join(missing)} {USER}"
            )
        return Finding(f"{USER} {USER_ID}, groups {' '.join(_GROUPS)}")

    def apply(self) -> None:
        """Make the account, or give it its groups. Raises Unfit for an account with other numbers."""
        try:
            account = pwd.getpwnam(USER)
        except KeyError:
            try:
                taken = grp.getgrgid(USER_ID).gr_name
            except KeyError:
                taken = ""
            if not taken:
                run("groupadd", "--gid", str(USER_ID), USER)
            elif taken != USER:
                raise Unfit(f"group number {USER_ID} belongs to {taken}, expected {USER}") from None
            # '*' is no password, but no lock either: sshd lets locked accounts in with no key.
            run("useradd", "--uid", str(USER_ID), "--gid", str(USER_ID), "--home-dir", str(HOME),
                "--no-create-home", "--shell", "/bin/bash", "--password", "*", USER)  # fmt: skip
        else:
            if (account.pw_uid, account.pw_gid, Path(account.pw_dir)) != (USER_ID, USER_ID, HOME):
                raise Unfit(f"{self.examine().found}: {self.examine().todo}")
        run("usermod", "--append", "--groups", ",".join(_GROUPS), USER)


def _is_member(group: str) -> bool:
    try:
        return USER in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


@dataclass(frozen=True)
class Folder:
    """A folder of oneadmin's."""

    name: str
    path: Path
    mode: int = 0o755

    def examine(self) -> Finding:
        """Whether it is there, and oneadmin's."""
        try:
            status = os.lstat(self.path)
        except OSError as error:
            return Finding(f"{self.path}: {error.strerror}", f"make {self.path} for {USER}")
        if not self.path.is_dir():
            return Finding(f"{self.path} is no folder", "move it away")
        if (status.st_uid, status.st_gid) != (USER_ID, USER_ID) and not self.path.is_symlink():
            found = f"{self.path} belongs to {status.st_uid}:{status.st_gid}"
            return Finding(found, f"chown {USER}:{USER} {self.path}")
        # Above it there may be a folder that everybody writes to (/var/tmp): who was first must not own what
        # oneadmin runs.
        if self.path.is_symlink() and status.st_uid not in (0, USER_ID):
            return Finding(f"{self.path} is a link of user {status.st_uid}", "move it away")
        if os.stat(self.path).st_mode & 0o002:
            return Finding(f"everybody may write to {self.path}", f"chmod o-w {self.path}")
        return Finding(str(self.path))

    def apply(self) -> None:
        """Make it, or give it to oneadmin; what is in it stays as it is. Raises Unfit."""
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise Unfit(f"{self.path} is no folder; move it away")
        if self.path.is_symlink() and os.lstat(self.path).st_uid not in (0, USER_ID):
            raise Unfit(f"{self.path} is a link of user {os.lstat(self.path).st_uid}; move it away")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self.path.mkdir(mode=self.mode)
        os.chown(self.path, USER_ID, USER_ID, follow_symlinks=False)
        self.path.chmod(stat.S_IMODE(os.stat(self.path).st_mode) & ~0o002)
        # oneadmin must get there: a folder that was made above it may be root's alone under a strict umask.
        for parent in self.path.parents:
            if parent != parent.parent and not os.stat(parent).st_mode & 0o001 and parent != HOME:
                raise Unfit(f"{parent} cannot be passed by {USER}; chmod o+x {parent}")

"""What operators bring along: certificates, SSH keys, hooks, patches; as files for a container."""

from __future__ import annotations

from pathlib import Path

from bootstrap import ssh_keys
from tests.unit.bootstrap import material

TLS_NAME = "own.example.org"
PATCH = """# comments are allowed
/etc/one/sched.conf set SCHED_INTERVAL 10
/etc/one/oned.conf set DEFAULT_COST/CPU_COST 0.1
/etc/one/oned.conf set DEFAULT_COST/MEMORY_COST 0.1
/etc/one/oned.conf set DEFAULT_COST/DISK_COST 0.1
"""
PRE_HOOK = "#!/bin/bash\necho 'pre-bootstrap hook'\ntest ! -e /run/supervisor/sshd_config\n"
POST_HOOK = (
    "#!/bin/bash\necho 'post-bootstrap hook'\ntest -e /run/supervisor/sshd_config\nenv > /run/one/hook-env\n"
)
BATCH = "#!/bin/sh\nset -e\nid -un\nonehost create batch1 --im dummy --vm dummy\n"


def mounts(base: Path) -> dict[str, str]:
    """The folders as volumes of a container."""
    return {str(base / name): f"/{name}:ro" for name in ("certs", "ssh", "config")}


def folders(base: Path) -> None:
    """Make the folders certs, ssh and config, filled as the guides say."""
    certificate, key = material.pair(name=TLS_NAME)
    pair = ssh_keys.generate("rsa", "me@example.org")
    write(base / "certs/cert.pem", certificate.decode())
    write(base / "certs/cert.key", key.decode())
    write(base / "ssh/id_rsa", pair.private)
    write(base / "ssh/id_rsa.pub", f"{pair.public}\n")
    write(base / "config/onecfg_patch", PATCH)
    write(base / "config/pre-bootstrap-hook.sh", PRE_HOOK, 0o755)
    write(base / "config/post-bootstrap-hook.sh", POST_HOOK, 0o755)
    write(base / "config/batch.sh", BATCH, 0o755)


def write(file: Path, text: str, mode: int = 0o600) -> None:
    """A file with its folder, which everybody may enter: the services are other users."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o755)
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)

"""Passwords for containers that run one service each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap import params, secret_files

HOSTS = {
    "OPENNEBULA_HOST": "one.example.com", "ONED_HOST": "opennebula-oned", "MYSQL_HOST": "opennebula-mysql",
    "OPENNEBULA_SERVICE": "none",
}  # fmt: skip


def _files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_each_service_gets_its_own_and_no_others(tmp_path: Path) -> None:
    said = secret_files.settle(tmp_path, {"MYSQL_PASSWORD": "given-one"})
    found = _files(tmp_path)
    assert sorted(found) == [
        "mysqld/mysql_password", "mysqld/mysql_root_password",
        "oned/mysql_password", "oned/oneadmin_password",
    ]  # fmt: skip
    assert found["mysqld/mysql_password"] == found["oned/mysql_password"] == "given-one"
    for name, password in found.items():
        assert len(password) >= 9, name
        assert password not in "".join(said)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert (tmp_path / name).parent.stat().st_mode & 0o777 == 0o700


def test_passwords_stay_until_others_are_given(tmp_path: Path) -> None:
    secret_files.settle(tmp_path, {})
    first = _files(tmp_path)
    secret_files.settle(tmp_path, {})
    assert _files(tmp_path) == first
    (tmp_path / "oned" / "mysql_password").unlink()
    secret_files.settle(tmp_path, {})
    assert _files(tmp_path) == first
    secret_files.settle(tmp_path, {"MYSQL_PASSWORD": "another"})
    assert _files(tmp_path) == first | {"mysqld/mysql_password": "another", "oned/mysql_password": "another"}


def test_faults_of_all_services_are_reported_once_and_together() -> None:
    with pytest.raises(params.ParameterFaults) as raised:
        secret_files.check({"MYSQL_PORT": "99999", "MYSQL_HOST": "opennebula-mysql"})
    faults = raised.value.faults
    assert sum(fault.startswith("MYSQL_PORT:") for fault in faults) == 1
    assert any(fault.startswith("OPENNEBULA_HOST: required with OPENNEBULA_SERVICE=oned") for fault in faults)
    assert any(fault.startswith("ONED_HOST: required with OPENNEBULA_SERVICE=scheduler") for fault in faults)


def test_older_name_of_the_service_does_no_harm() -> None:
    assert secret_files.check(HOSTS | {"OPENNEBULA_FRONTEND_SERVICE": "none"}) == {}


def test_a_password_file_is_read_and_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "given"
    secret.write_text("from-a-file\n")
    environment = HOSTS | {"MYSQL_PASSWORD_FILE": str(secret)}
    assert secret_files.check(environment) == {"MYSQL_PASSWORD": "from-a-file"}
    command = [sys.executable, "-m", "bootstrap.secret_files", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "secrets: MYSQL_PASSWORD: given, for oned and mysqld"
    assert "from-a-file" not in done.stdout
    assert (tmp_path / "out/mysqld/mysql_password").read_text() == "from-a-file"
    wrong = subprocess.run(
        command, env=environment | {"MYSQL_PASSWORD": "x y"}, text=True, capture_output=True, check=False
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("secrets: failed: ")
    assert "x y" not in wrong.stderr

"""Wrong parameters end the container with the reason; what would be done can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support import containers
from tests.support.containers import Container, Engine

HOST = {"OPENNEBULA_HOST": "localhost"}


def _refused(docker: Engine, image: str, parameters: Mapping[str, str]) -> list[str]:
    """The lines at the end of the log that give the reasons."""
    with containers.run(docker, image, parameters, publish=False) as container:
        assert container.wait_exit() == 1
        lines = container.logs().strip().splitlines()
    reasons: list[str] = []
    while lines and "bootstrap: [" in lines[-1] and " failed: " in lines[-1]:
        reasons.insert(0, lines.pop())
    return reasons


def test_unknown_service(docker: Engine, image: str) -> None:
    [reason] = _refused(docker, image, HOST | {"OPENNEBULA_SERVICE": "onde"})
    assert "OPENNEBULA_SERVICE" in reason
    assert "'onde'" in reason
    assert "oned" in reason


def test_missing_host(docker: Engine, image: str) -> None:
    [reason] = _refused(docker, image, {})
    assert "OPENNEBULA_HOST" in reason


def test_all_faults_are_reported_together(docker: Engine, image: str) -> None:
    bad = {
        "MYSQL_PORT": "99999",
        "MAINTENANCE_MODE": "perhaps",
        "MYSQL_DATABASE": "a b",
        "OPENNEBULA_HOTS": "x",
    }
    reasons = _refused(docker, image, HOST | bad)
    assert len(reasons) == len(bad)
    for name in bad:
        assert sum(name in reason for reason in reasons) == 1, name


def test_secret_of_a_bad_value_is_not_shown(docker: Engine, image: str) -> None:
    secret = "not\nallowed-c0ffee"
    with containers.run(docker, image, HOST | {"ONEADMIN_PASSWORD": secret}, publish=False) as container:
        assert container.wait_exit() == 1
        logs = container.logs()
    assert "ONEADMIN_PASSWORD" in logs
    assert "c0ffee" not in logs


def test_secret_from_a_file(docker: Engine, image: str, tmp_path: Path) -> None:
    secret = "s3cret-from-a-file"
    (tmp_path / "password").write_text(secret + "\n")
    options = ("-v", f"{tmp_path}:/run/secrets:ro")
    parameters = HOST | {"ONEADMIN_PASSWORD_FILE": "/run/secrets/password"}
    with containers.run(docker, image, parameters, *options) as container:
        container.wait_healthy()
        assert container.session == f"oneadmin:{secret}"
        assert secret not in str(container.inspect())


def test_another_user_than_root_is_refused(docker: Engine, image: str) -> None:
    with containers.run(docker, image, HOST, "--user", "9869", publish=False) as container:
        assert container.wait_exit() == 1
        assert "expected root" in container.logs().strip().splitlines()[-1]


def test_sqlite_needs_no_database_server(docker: Engine, image: str) -> None:
    with containers.run(docker, image, HOST | {"ONEBOX_DB": "sqlite"}) as container:
        container.wait_healthy()
        assert "mysqld" not in container.programs()
        assert "<NAME>oneadmin</NAME>" in container.client().call("user.info", -1)


def test_a_command_runs_without_services(docker: Engine, image: str) -> None:
    assert docker.call("run", "--rm", "--network", "none", image, "id", "-un").strip() == "root"


def _bootstrap(docker: Engine, image: str, *words: str, **parameters: str) -> str:
    arguments = [word for name, value in parameters.items() for word in ("-e", f"{name}={value}")]
    result = docker.try_call(
        "run", "--rm", "--network", "none", "--no-healthcheck", *arguments, image, "bootstrap", *words
    )
    return f"{result.returncode}\n{result.stdout}{result.stderr}"


def test_check_and_explain_and_list(docker: Engine, image: str) -> None:
    said = _bootstrap(docker, image, "--check", OPENNEBULA_HOST="x", FIREEDGE_HOST="fe")
    assert said.startswith("0\n") and "no faults" in said
    assert "warning: FIREEDGE_HOST: no effect, service fireedge is not part of this version" in said
    said = _bootstrap(
        docker, image, "--check", OPENNEBULA_SERVICE="oneflow", MYSQL_PORT="x", OPENNEBULA_HOST="x"
    )
    assert said.startswith("1\n") and said.count(" failed: ") == 2
    assert "service oneflow is not part of this version; expected one of all, oned, scheduler" in said
    said = _bootstrap(docker, image, "--explain", OPENNEBULA_HOST="x", MYSQL_PASSWORD="Geheim-7")
    assert said.startswith("0\n") and "Geheim" not in said
    assert "new file /etc/one/oned.conf (mode 0640, root:oneadmin)" in said
    assert "new file /srv/one/secret-tls/cert.key (mode 0640, root:stunnel)" in said
    said = _bootstrap(docker, image, "--list", "text")
    assert said.startswith("0\n") and "OPENNEBULA_SSH_PORT" in said
    assert _bootstrap(docker, image).startswith("2\nusage: ")


def test_older_names_and_services_that_are_missing(plain_container: Container) -> None:
    assert plain_container.session == "oneadmin:changeme123"
    log = plain_container.logs()
    assert "warning: OPENNEBULA_FRONTEND_SSH_HOST: older name of OPENNEBULA_SSH_HOST" in log
    assert "warning: DIND_ENABLED: no effect, service docker is not part of this version" in log

"""What the image holds, and what it must not."""

from __future__ import annotations

import json

from tests.support import containers
from tests.support.containers import ROOT, Engine

SIZE_LIMIT_MB = 700
# Programs and Python packages that build other software.
FORBIDDEN_PROGRAMS = (
    "gcc",
    "cc",
    "g++",
    "c++",
    "clang",
    "tcc",
    "ld",
    "make",
    "pip",
    "pip3",
    "easy_install",
    "uv",
)
FORBIDDEN_PACKAGES = ("pip", "setuptools", "wheel", "ensurepip", "pkg_resources", "_distutils_hack")


def _run(docker: Engine, image: str, script: str) -> str:
    return docker.call(
        "run", "--rm", "-i", "--network", "none", "--no-healthcheck", image, "sh", "-s", stdin=script
    )


def test_size(docker: Engine, image: str) -> None:
    size_mb = json.loads(docker.call("image", "inspect", image))[0]["Size"] / 1e6
    print(f"image size: {size_mb:.0f} MB")
    assert size_mb <= SIZE_LIMIT_MB


def test_no_compiler_and_no_pip(docker: Engine, image: str) -> None:
    programs = " ".join(FORBIDDEN_PROGRAMS)
    assert _run(docker, image, f"for name in {programs}; do command -v $name; done; true") == ""
    for python in ("/usr/bin/python3", "/usr/lib/one/venv/bin/python"):
        script = (
            "import importlib.util as u; "
            f"print([n for n in {FORBIDDEN_PACKAGES!r} if u.find_spec(n) is not None])"
        )
        assert _run(docker, image, f'{python} -c "{script}"').strip() == "[]", python
    # Wheels of pip that come with the interpreter, or were left by a tool.
    found = (
        "find / -xdev \\( -name 'pip-*' -o -name 'setuptools-*' -o -name '*.whl' -o -name 'cc1' \\) -print"
    )
    assert _run(docker, image, found) == ""


def test_every_python_module_can_be_loaded(docker: Engine, image: str) -> None:
    """Nothing needs a package, or a part of the standard library, that was left out."""
    names = "granian lxml.etree MySQLdb pymysql supervisor.supervisord supervisor.supervisorctl sqlite3 ssl"
    imports = "; ".join(f"import {name}" for name in names.split())
    assert _run(docker, image, f"/usr/lib/one/venv/bin/python -c '{imports}; print(1)'").strip() == "1"


def test_byte_code_is_used(docker: Engine, image: str) -> None:
    """Services cannot write below /usr, so compiled modules have to be there, and fit their sources."""
    script = "cd /usr/lib/one/onebox && /usr/lib/one/venv/bin/python -v -c 'import bootstrap.health' 2>&1"
    lines = _run(docker, image, script).splitlines()
    assert any("health" in line and "matches" in line for line in lines)


def test_nothing_of_the_building_machine_stays(docker: Engine, image: str) -> None:
    listed = _run(
        docker, image, "ls -d /host /src /wheels /rootfs /remotes /build-tools /root/.cache 2>/dev/null; true"
    )
    assert listed == ""
    # Configuration of pip and proxies of apt, wherever.
    assert _run(docker, image, "find / -xdev -name pip.conf; grep -ril proxy /etc/apt; true") == ""
    assert _run(docker, image, "find /var/lib/apt/lists /usr/local/share/ca-certificates -type f") == ""
    # Only the distribution's certificates are trusted.
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    script = f"cat /usr/share/ca-certificates/mozilla/*.crt | grep -c BEGIN; grep -c BEGIN {bundle}"
    shipped, trusted = _run(docker, image, script).split()
    assert trusted == shipped


def test_history_and_inspect_show_no_secret(docker: Engine, image: str) -> None:
    shown = docker.call("history", "--no-trunc", image) + docker.call("image", "inspect", image)
    for word in ("password", "passwd", "token", "BEGIN ", "index-url", "PIP_INDEX", "proxy"):
        assert word.lower() not in shown.lower(), word
    variables = json.loads(docker.call("image", "inspect", image))[0]["Config"]["Env"]
    assert sorted(variable.partition("=")[0] for variable in variables) == ["LANG", "PATH"]


def test_no_credentials_in_the_files(docker: Engine, image: str) -> None:
    """Passwords, keys and databases are made at the first start, never shipped."""
    folders = "/var/lib/one/.one /var/lib/one/.ssh /var/lib/mysql /srv/one /etc/ssh /root"
    found = _run(
        docker,
        image,
        f"find {folders} -type f -name '*auth*' -o -name '*key*' -o -name 'id_*' -o -name 'ib*'; true",
    )
    assert found == ""


def test_accounts_have_fixed_numbers(docker: Engine, image: str) -> None:
    """Volumes are shared by containers of other versions."""
    assert _run(docker, image, "for u in oneadmin mysql stunnel; do id -u $u; id -g $u; done").split() == [
        "9869", "9869", "9870", "9870", "9871", "9871",
    ]  # fmt: skip


def test_services_cannot_change_their_own_code(docker: Engine, image: str) -> None:
    writable = "find / -xdev \\( -user oneadmin -o -user mysql -o -perm -o+w \\) ! -type l ! -perm -1000"
    kept = ("/var/lib/one", "/var/log/one", "/var/lib/mysql", "/dev")
    found = [line for line in _run(docker, image, writable).splitlines() if not line.startswith(kept)]
    assert found == []


def test_unchanged_tree_is_not_built_again(docker: Engine, image: str) -> None:
    before = docker.call("image", "inspect", "--format", "{{.Id}} {{.Created}}", image)
    assert containers.build(docker) == image
    assert docker.call("image", "inspect", "--format", "{{.Id}} {{.Created}}", image) == before


def test_volumes_and_ports_are_documented(docker: Engine, image: str) -> None:
    config = json.loads(docker.call("image", "inspect", image))[0]["Config"]
    page = (ROOT / "docs" / "image.md").read_text(encoding="utf-8")
    for path in config["Volumes"]:
        assert f"`{path}`" in page, path
    for port in config["ExposedPorts"]:
        assert f"`{port}`" in page, port

"""The image parameters, one record each. What is read, checked and documented comes from here alone."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap import checks
from bootstrap.checks import Check

SERVICES = ("all", "oned", "scheduler", "mysqld", "sshd", "none")
# Words of OPENNEBULA_SERVICE in OpenNebula's image whose services are not part of this version.
MISSING_SERVICES = (
    "docker", "etcd", "fireedge", "guacd", "memcached", "oneflow", "onegate", "oneprovision", "sunstone",
)  # fmt: skip
_CORE = ("all", "oned")
_DATABASE = ("all", "oned", "mysqld")
_SSH = ("all", "oned", "sshd")


@dataclass(frozen=True)
class Param:
    """One parameter.

    default: may name another as ``${NAME}``. services: whose containers it acts in. required_for: who needs a
    value. missing: the service it is for, which is not part of this version: checked, without effect.
    container_only: has no effect in native mode.
    """

    name: str
    meaning: str
    check: Check = checks.text
    default: str = ""
    services: tuple[str, ...] = ("all",)
    required_for: tuple[str, ...] = ()
    alias: str = ""
    secret: bool = False
    missing: str = ""
    container_only: bool = False


def _service(value: str) -> str:
    if value in MISSING_SERVICES:
        raise ValueError(
            f"service {value} is not part of this version; expected one of {', '.join(SERVICES)}"
        )
    return checks.choice(*SERVICES)(value)


_service.__doc__ = checks.choice(*SERVICES).__doc__
_PORT = checks.number(1, 65535)


def _elsewhere(
    name: str, meaning: str, check: Check, default: str, missing: str, *, secret: bool = False
) -> Param:
    return Param(name, meaning, check, default, missing=missing, secret=secret)


_GENERAL = (
    Param("OPENNEBULA_SERVICE", "which services run in this container", _service, "all", SERVICES,
          alias="OPENNEBULA_FRONTEND_SERVICE"),
    Param("OPENNEBULA_HOST", "host name or address under which clients reach the front-end", checks.host,
          services=_CORE, required_for=_CORE, alias="OPENNEBULA_FRONTEND_HOST"),
    Param("ONEBOX_ENDPOINT", "XML-RPC endpoint that zone 0 advertises; to be given where clients use another "
          "port, or TLS; `${OPENNEBULA_HOST}` stands for that parameter", checks.url,
          "http://${OPENNEBULA_HOST}:2633/RPC2", _CORE, container_only=True),
    Param("OPENNEBULA_ONEGATE_HOST", "host of the OneGate endpoint that machines are told, where one runs "
          "elsewhere", checks.host, "${OPENNEBULA_HOST}", _CORE),
    Param("ONEGATE_PORT", "port of that endpoint", _PORT, "5030", _CORE),
    Param("MONITORD_PORT", "port that the agents on the nodes report to, UDP and TCP, equal inside and "
          "outside", _PORT, "4124", _CORE),
    Param("SUNSTONE_VNC_PORT", "port of the consoles' websockets, equal inside and outside", _PORT, "29876",
          _CORE),
    Param("ONED_HOST", "where oned runs, when not in this container", checks.host, "localhost",
          ("scheduler",), required_for=("scheduler",)),
    Param("MAINTENANCE_MODE", "configure the services but start none of them", checks.boolean, "no",
          SERVICES),
    Param("ONEADMIN_PASSWORD",
          "initial password of oneadmin; random when empty; later changes are made with `oneuser passwd`",
          checks.password, services=_CORE, secret=True),
    Param("ONEBOX_PORT_OFFSET",
          "native mode: added to every port, so that several instances run side by side",
          checks.number(0, 50000), "0", SERVICES),
)  # fmt: skip

_DATABASE_PARAMS = (
    Param("MYSQL_HOST", "where the database runs; another host than localhost leaves the inner one out",
          checks.host, "localhost", _CORE, required_for=("oned",)),
    Param("MYSQL_PORT", "port of the database", _PORT, "3306", _DATABASE),
    Param("MYSQL_DATABASE", "name of the database, created if absent", checks.identifier, "opennebula",
          _DATABASE),
    Param("MYSQL_USER", "user of the database, created if absent", checks.database_user, "oneadmin",
          _DATABASE),
    Param("MYSQL_PASSWORD", "password of that user; random in the all-in-one container when empty",
          checks.password, services=_DATABASE, required_for=("oned", "mysqld"), secret=True),
    Param("MYSQL_ROOT_PASSWORD", "password of the database's root; random once when empty", checks.password,
          services=("all", "mysqld"), secret=True),
    Param("ONED_DB_BACKUP_ENABLED", "keep a backup when the database is upgraded at a start", checks.boolean,
          "yes", _CORE),
    Param("ONEBOX_DB", "database of the all-in-one container: the MariaDB inside, or SQLite",
          checks.choice("mysql", "sqlite"), "mysql", _CORE),
)  # fmt: skip

_TLS = (
    Param("TLS_PROXY_ENABLED", "TLS in front of the APIs (2634 for 2633)", checks.boolean, "yes", _CORE,
          container_only=True),
    Param("TLS_DOMAIN_LIST", "self-signed certificate: names and addresses; the first is the common name",
          checks.domains, "*", _CORE, container_only=True),
    Param("TLS_VALID_DAYS", "self-signed certificate: valid for so many days", checks.number(1, 36500), "365",
          _CORE, container_only=True),
    Param("TLS_KEY", "key of your own certificate, path in the container", checks.absolute_path,
          services=_CORE, container_only=True),
    Param("TLS_CERT", "your own certificate (PEM, with its chain), path in the container",
          checks.absolute_path, services=_CORE, container_only=True),
    Param("TLS_KEY_BASE64", "key of your own certificate, base64", checks.base64_text, services=_CORE,
          secret=True, container_only=True),
    Param("TLS_CERT_BASE64", "your own certificate, base64", checks.base64_text, services=_CORE,
          container_only=True),
)  # fmt: skip

_SSH_PARAMS = (
    Param("OPENNEBULA_SSH_HOST", "host name or address under which nodes reach the front-end over SSH",
          checks.host, "${OPENNEBULA_HOST}", _CORE, alias="OPENNEBULA_FRONTEND_SSH_HOST",
          container_only=True),
    Param("OPENNEBULA_SSH_PORT", "port under which they do; sshd listens on it, and on 22, in the container",
          _PORT, "22", _SSH, container_only=True),
    Param("ONEBOX_NODE_SSH_PORT", "port of sshd on the nodes; docs/appliance.md says how to name others",
          _PORT, "22", _CORE, container_only=True),
    Param("ONEADMIN_SSH_PRIVKEY", "oneadmin's private SSH key, path in the container; used if it is there",
          checks.absolute_path, "/ssh/id_rsa", _CORE, container_only=True),
    Param("ONEADMIN_SSH_PUBKEY", "its public key, path in the container; used when it is there",
          checks.absolute_path, "/ssh/id_rsa.pub", _CORE, container_only=True),
    Param("ONEADMIN_SSH_PRIVKEY_BASE64", "oneadmin's own private SSH key, base64", checks.base64_text,
          services=_CORE, secret=True, container_only=True),
    Param("ONEADMIN_SSH_PUBKEY_BASE64", "its public key, base64", checks.base64_text, services=_CORE,
          container_only=True),
)  # fmt: skip

_OWN_CHANGES = (
    Param("OPENNEBULA_ONECFG_PATCH", "onecfg patch that changes the stock configuration files",
          checks.absolute_path, services=SERVICES, alias="OPENNEBULA_FRONTEND_ONECFG_PATCH",
          container_only=True),
    Param("OPENNEBULA_PREBOOTSTRAP_HOOK", "executable run before the services are configured",
          checks.absolute_path, services=SERVICES, alias="OPENNEBULA_FRONTEND_PREHOOK", container_only=True),
    Param("OPENNEBULA_POSTBOOTSTRAP_HOOK", "executable run once the services are configured",
          checks.absolute_path, services=SERVICES, alias="OPENNEBULA_FRONTEND_POSTHOOK", container_only=True),
    Param("OPENNEBULA_BATCH_FILE", "executable run as oneadmin once oned answers", checks.absolute_path,
          services=_CORE, container_only=True),
)  # fmt: skip

_ELSEWHERE = (
    _elsewhere("OPENNEBULA_CUSTOMER_TOKEN", "customer support token", checks.text, "", "sunstone",
               secret=True),
    _elsewhere("SUNSTONE_HTTPS_ENABLED", "serve Sunstone over TLS", checks.boolean, "yes", "sunstone"),
    _elsewhere("SUNSTONE_PORT", "published HTTP port", _PORT, "80", "sunstone"),
    _elsewhere("SUNSTONE_TLS_PORT", "published HTTPS port", _PORT, "443", "sunstone"),
    _elsewhere("MEMCACHED_HOST", "where memcached runs", checks.host, "localhost", "memcached"),
    _elsewhere("FIREEDGE_HOST", "where FireEdge runs", checks.host, "localhost", "fireedge"),
    _elsewhere("GUACD_HOST", "where guacd runs", checks.host, "localhost", "guacd"),
    _elsewhere("ONEFLOW_HOST", "where OneFlow runs", checks.host, "localhost", "oneflow"),
    _elsewhere("ONEGATE_HOST", "where OneGate runs", checks.host, "localhost", "onegate"),
    _elsewhere("ONEPROVISION_HOST", "where the provision commands run", checks.host, "localhost",
               "oneprovision"),
    _elsewhere("DIND_ENABLED", "run an inner Docker daemon", checks.boolean, "no", "docker"),
    _elsewhere("DIND_TCP_ENABLED", "let it listen on TCP", checks.boolean, "no", "docker"),
    _elsewhere("DIND_HOST", "where it runs", checks.host, "localhost", "docker"),
    _elsewhere("DIND_SOCKET", "its socket", checks.absolute_path, "/var/run/docker.sock", "docker"),
    _elsewhere("ETCD_HOST", "where etcd runs", checks.host, "localhost", "etcd"),
    _elsewhere("ETCD_ROOT_PASSWORD", "initial password of etcd's root", checks.password, "", "etcd",
               secret=True),
)  # fmt: skip

PARAMS: tuple[Param, ...] = (*_GENERAL, *_DATABASE_PARAMS, *_TLS, *_SSH_PARAMS, *_OWN_CHANGES, *_ELSEWHERE)

"""VNC ports: never held twice, never lost."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.config import from_settings
from services.oned.lifecycle import site
from services.oned.store import clusters
from tests.support.cloud import Cloud
from tests.support.core import Core

ACTION = 0x800
VNC = 'GRAPHICS=[TYPE="vnc",LISTEN="0.0.0.0"]'


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _port(cloud: Cloud, vm_id: int, name: str = "PORT") -> str | None:
    return cloud.text(vm_id, f"TEMPLATE/GRAPHICS/{name}")


def _taken(cloud: Cloud, cluster: int = 0) -> list[int]:
    bits = cloud.core.store.run(clusters.all_ports)[cluster]
    return [port for port in range(65536) if bits >> port & 1]


def _far(cloud: Cloud) -> tuple[int, int]:
    """Another cluster with the same system datastore, and a host in it."""
    cluster = cloud.call("cluster.allocate", "far")
    cloud.call("cluster.adddatastore", cluster, 0)
    return cluster, cloud.add_host("far", cluster)


def test_from_deployment_to_the_end(cloud: Cloud) -> None:
    vm_id = cloud.running(VNC)
    assert (_port(cloud, vm_id), _taken(cloud)) == (str(5900 + vm_id), [5900 + vm_id])
    second = cloud.running('GRAPHICS=[TYPE="vnc",PORT="7000"]')
    assert (_port(cloud, second), cloud.contradictions()) == ("7000", [])
    third = cloud.vm('GRAPHICS=[TYPE="vnc",PORT="7000"]')
    assert "7000" in cloud.refused(ACTION, "vm.deploy", third, cloud.host, False, -1, "")
    cloud.act("terminate", second, "vmm.SHUTDOWN", "tm.EPILOG")
    assert (_port(cloud, second), _taken(cloud)) == (None, [5900 + vm_id])
    cloud.call("vm.deploy", third, cloud.host, False, -1, "")
    cloud.call("vm.recover", third, 5)
    cloud.act("poweroff", vm_id, "vmm.SHUTDOWN")
    assert _taken(cloud) == [5900 + vm_id], "a VM that is off keeps it"
    cloud.act("undeploy", vm_id, "tm.EPILOG_STOP")
    assert (_port(cloud, vm_id), _taken(cloud), cloud.contradictions()) == (None, [], [])


@pytest.mark.parametrize("then", ["RUNNING", "POWEROFF"])
def test_a_screen_that_is_removed_gives_it_back(cloud: Cloud, then: str) -> None:
    vm_id = cloud.running(f'{VNC}\nCONTEXT=[A="1"]')
    if then == "POWEROFF":
        cloud.act("poweroff", vm_id, "vmm.SHUTDOWN")
    cloud.call("vm.updateconf", vm_id, 'CONTEXT=[A="2"]')
    if then == "RUNNING":
        cloud.end("vmm.UPDATE_CONF")
    assert (_port(cloud, vm_id), _taken(cloud), cloud.contradictions()) == (None, [], [])
    cloud.call("vm.updateconf", vm_id, VNC)
    assert (_port(cloud, vm_id), _taken(cloud)) == (str(5900 + vm_id), [5900 + vm_id])


def test_the_port_that_goes_with_the_id_may_be_taken(cloud: Cloud) -> None:
    cloud.vm(hold=True)
    first = cloud.running('GRAPHICS=[TYPE="vnc",PORT="5902"]')
    second = cloud.running(VNC)
    assert (first, second, _port(cloud, second)) == (1, 2, "5900")
    assert cloud.contradictions() == []


def test_reserved_ports_are_never_given(cloud: Cloud) -> None:
    conf = 'DB=[BACKEND="sqlite"]\nVM_MAD=[NAME="dummy"]\nVNC_PORTS=[START="5900",RESERVED="5900:5903,5905"]'
    site.use(from_settings(Template.parse(conf)))
    assert [_port(cloud, cloud.running(VNC)) for _ in range(3)] == ["5904", "5906", "5907"]


def test_a_saved_machine_keeps_its_port_or_takes_it_along(cloud: Cloud) -> None:
    cluster, far = _far(cloud)
    vm_id = cloud.stopped(VNC)
    port = int(_port(cloud, vm_id) or 0)
    cloud.act("resume", vm_id)
    assert (_taken(cloud), cloud.contradictions()) == ([port], [])
    cloud.call("vm.deploy", vm_id, far, False, -1, "")
    assert (_taken(cloud), _taken(cloud, cluster), cloud.contradictions()) == ([], [port], [])
    cloud.call("vm.recover", vm_id, 5)
    assert _taken(cloud, cluster) == []
    waiting = cloud.stopped(VNC)
    cloud.act("resume", waiting)
    cloud.act("terminate", waiting, "tm.EPILOG")
    assert (cloud.state(waiting), _taken(cloud), cloud.contradictions()) == ("DONE", [], [])


def test_migration_to_another_cluster(cloud: Cloud) -> None:
    cluster, far = _far(cloud)
    vm_id = cloud.running(VNC)
    port = 5900 + vm_id
    cloud.call("vm.migrate", vm_id, far, True, False, -1, 0)
    assert (_port(cloud, vm_id), _port(cloud, vm_id, "PREVIOUS_PORT")) == (str(port), str(port))
    assert (_taken(cloud), _taken(cloud, cluster), cloud.contradictions()) == ([port], [port], [])
    cloud.end("vmm.MIGRATE", ok=False)
    assert (_taken(cloud), _taken(cloud, cluster)) == ([port], [])
    cloud.call("vm.migrate", vm_id, far, True, False, -1, 0)
    cloud.end("vmm.MIGRATE")
    assert (_taken(cloud), _taken(cloud, cluster)) == ([], [port])
    assert _port(cloud, vm_id, "PREVIOUS_PORT") is None
    cloud.call("vm.migrate", vm_id, cloud.host, False, False, -1, 0)
    cloud.end("vmm.SAVE")
    assert (_taken(cloud), _taken(cloud, cluster), cloud.contradictions()) == ([port], [], [])
    cloud.end("tm.PROLOG_MIGRATE", ok=False)
    cloud.call("vm.recover", vm_id, 0)
    assert (_taken(cloud), _taken(cloud, cluster), cloud.contradictions()) == ([], [port], [])


def test_a_live_migration_needs_the_same_port(cloud: Cloud) -> None:
    _, far = _far(cloud)
    vm_id = cloud.running(VNC)
    cloud.running(f'GRAPHICS=[TYPE="vnc",PORT="{5900 + vm_id}"]', host=far)
    assert "VNC port" in cloud.refused(ACTION, "vm.migrate", vm_id, far, True, False, -1, 0)
    cloud.call("vm.migrate", vm_id, far, False, False, -1, 0)
    assert _port(cloud, vm_id, "PREVIOUS_PORT") == str(5900 + vm_id) != _port(cloud, vm_id)
    assert cloud.contradictions() == []


@pytest.mark.parametrize("operation", [3, 4, 5])
def test_recovery_gives_it_back_once(cloud: Cloud, operation: int) -> None:
    vm_id = cloud.running(VNC)
    cloud.call("vm.recover", vm_id, operation)
    if operation != 5:
        assert cloud.contradictions() == []
        cloud.end("vmm.CLEANUP")
    assert (_taken(cloud), cloud.contradictions()) == ([], [])
    if operation == 4:
        assert _port(cloud, vm_id) == str(5900 + vm_id), "it asks for the same one"
        cloud.running(f'GRAPHICS=[TYPE="vnc",PORT="{5900 + vm_id}"]')
        cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
        assert (_port(cloud, vm_id), cloud.contradictions()) == ("5900" if vm_id else "5901", [])
        waiting = cloud.vm(VNC)
        cloud.call("vm.action", "terminate", waiting)
        assert cloud.contradictions() == []

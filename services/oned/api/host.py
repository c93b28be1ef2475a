"""Host methods."""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.cluster import chosen
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, RequestError
from services.oned.model.base import check_name
from services.oned.model.cluster import Cluster
from services.oned.model.host import Host, HostState
from services.oned.model.vm import VM
from services.oned.monitor import agents
from services.oned.monitor.host import zero_sample
from services.oned.store import monitoring

_ENABLE, _DISABLE, _OFFLINE = 0, 1, 2


@method("one.host.allocate", "name:s im_mad:s vmm_mad:s cluster_id:i")
def allocate(call: Call, name: str, im_mad: str, vm_mad: str, cluster_id: int) -> int:
    """Create a host in a cluster (-1: the default one); monitoring starts at once."""
    cluster = chosen(call, cluster_id)
    call.authorize_create(Host)
    call.authorize(Cluster, Right.ADMIN, cluster.oid)
    check_name(name)
    if not im_mad:
        raise RequestError("IM_MAD_NAME cannot be empty.")
    if not vm_mad:
        raise RequestError("VMM_MAD_NAME cannot be empty.")
    common.require_free_name(call, Host, name)
    host = Host.new(name, im_mad, vm_mad)
    host.cluster_id, host.cluster = cluster.oid, cluster.name
    host.insert(call.tx)
    cluster.add_host(host.oid)
    cluster.save(call.tx)
    agents.start(call.tx, host)
    return host.oid


@method("one.host.delete", "host_id:i", Check(Host, Right.ADMIN, "host_id"))
def delete(call: Call, host_id: int) -> int:
    """Delete a host that has no VMs."""
    host = call.load(Host, host_id)
    if host.running_vms > 0 or host.vms:
        raise ActionError("Cannot delete host. Can not remove a host with running VMs", host_id)
    host.delete(call.tx)
    cluster = Cluster.find(call.tx, host.cluster_id)
    if cluster is not None:
        cluster.remove_host(host_id)
        cluster.save(call.tx)
    agents.stop(call.tx, host)
    monitoring.forget_host(call.tx, host_id)
    common.forget(call, host)
    return host_id


@method("one.host.info", "host_id:i decrypt:b=0", Check(Host, Right.USE, "host_id"), writes=False)
def info(call: Call, host_id: int, decrypt: bool) -> str:
    """The host's document with its newest monitoring sample."""
    body = common.info(call, Host, host_id, decrypt)
    sample = monitoring.latest_host_sample(call.tx, host_id)
    if sample is None:
        return body
    return f"{body[: body.rindex('<MONITORING')]}{sample}</HOST>"


@method("one.hostpool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The hosts that the caller may use."""
    return common.pool_info(call, Host)


@method("one.host.rename", "host_id:i name:s")
def rename(call: Call, host_id: int, name: str) -> int:
    """Rename a host, which is also the address of its machine; the records of its VMs follow."""
    before = Host.find(call.tx, host_id)

    def tell(host: Host) -> None:
        if before is not None and host.state is not HostState.OFFLINE and not agents.is_polled(host):
            agents.stop(call.tx, host, before.name)
            agents.start(call.tx, host)
        for vm_id in host.vms:
            vm = VM.find(call.tx, vm_id)
            if vm is not None and vm.history is not None and vm.history.hid == host_id:
                vm.history.hostname = host.name
                vm.history.store(call.tx)
                vm.save(call.tx)

    return common.rename(call, Host, host_id, name, tell, right=Right.ADMIN)


@method("one.host.update", "host_id:i template:s update_type:i=0", Check(Host, Right.ADMIN, "host_id"))
def update(call: Call, host_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a host's attributes; its usable capacity follows changed reservations."""
    return common.update_template(
        call, Host, host_id, text, update_type, lambda host: host.take_template(call.tx)
    )


@method("one.host.status", "host_id:i status:i", Check(Host, Right.ADMIN, "host_id"))
def status(call: Call, host_id: int, wanted: int) -> int:
    """Enable (0), disable (1: no new VMs) or put offline (2: not monitored) a host."""
    host = call.load(Host, host_id)
    was_offline = host.state is HostState.OFFLINE
    if wanted == _ENABLE:
        host.enable()
    elif wanted == _DISABLE:
        host.disable()
    elif wanted == _OFFLINE:
        host.offline()
    else:
        raise RequestError(
            f"Wrong status code {wanted}, expected 0 (enable), 1 (disable) or 2 (offline).", host_id
        )
    host.save(call.tx)
    if wanted == _OFFLINE:
        agents.stop(call.tx, host)
        zero_sample(call.tx, host_id)
    elif was_offline or wanted == _ENABLE:
        agents.start(call.tx, host)
    return host_id

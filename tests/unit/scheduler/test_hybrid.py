"""Local and public-cloud hosts: the examples of the operation guide, and what a cloud host needs not."""

from __future__ import annotations

from services.scheduler.plan import plan
from services.scheduler.records import VM

from .clouds import cloud, conf, hosts, stores, vm, where

LOCAL, REMOTE = 0, 1
EC2 = "<PUBLIC_CLOUD>YES</PUBLIC_CLOUD><PRIORITY>-1</PRIORITY><HYPERVISOR>ec2</HYPERVISOR>"
#: DEFAULT_SCHED = [ policy = 4 ]
FIXED = "PRIORITY"


def _hosts(**remote: object) -> list:  # type: ignore[type-arg]
    return hosts({}, {"template": EC2, **remote})


def _vms(count: int, requirements: str = "") -> list[VM]:
    return [vm(number, requirements=requirements) for number in range(count)]


def test_max_host_1_sends_the_second_vm_to_the_cloud() -> None:
    made = plan(cloud(_vms(2), _hosts()), conf(host_rank=FIXED, max_host=1, max_dispatch=30), 1)
    assert where(made) == {0: LOCAL, 1: REMOTE}
    assert made.rounds == 1, "in one scheduling action"


def test_max_dispatch_of_the_number_of_local_hosts_uses_these_first() -> None:
    found = hosts({"cpu": 300}, {"template": EC2})
    made = plan(cloud(_vms(5), found), conf(host_rank=FIXED, max_host=1, max_dispatch=1), 1)
    assert where(made) == {0: LOCAL, 1: LOCAL, 2: LOCAL, 3: REMOTE, 4: REMOTE}


def test_the_cloud_first_when_its_priority_says_so() -> None:
    found = hosts({"template": "<PRIORITY>-2</PRIORITY>"}, {"template": EC2})
    assert where(plan(cloud(_vms(1), found), conf(host_rank=FIXED), 1)) == {0: REMOTE}


def test_a_priority_of_the_cluster() -> None:
    found = hosts({}, {"cluster": 1}, clusters={0: "<PRIORITY>1</PRIORITY>", 1: "<PRIORITY>9</PRIORITY>"})
    made = plan(cloud(_vms(1), found, stores({"clusters": [0, 1]})), conf(host_rank=FIXED), 1)
    assert where(made) == {0: 1}


def test_forced_local() -> None:
    made = plan(cloud(_vms(2, "! (PUBLIC_CLOUD = YES) "), _hosts()), conf(host_rank=FIXED, max_host=1), 1)
    assert where(made) == {0: LOCAL, 1: LOCAL}


def test_forced_remote() -> None:
    made = plan(cloud(_vms(2, "PUBLIC_CLOUD = YES "), _hosts()), conf(host_rank=FIXED, max_host=1), 1)
    assert where(made) == {0: REMOTE, 1: REMOTE}


# -- what a cloud host needs not ---------------------------------------------------------------------------
def test_a_cloud_host_needs_no_datastore() -> None:
    full = stores({"total": 10, "free": 0})
    made = plan(cloud([vm(1, disk_mb=100, is_cloud=True)], _hosts(), full), conf(), 1)
    (one,) = made.dispatches
    assert (one.host_id, one.ds_id) == (REMOTE, -1)


def test_a_full_image_datastore_leaves_the_cloud_to_vms_that_can_go_there() -> None:
    images = stores({}, {"type": 0, "total": 10, "free": 5})
    vms = [vm(1, image_mb=((1, 100),), is_cloud=True), vm(2, image_mb=((1, 100),))]
    made = plan(cloud(vms, _hosts(), images), conf(), 1)
    assert where(made) == {1: REMOTE}
    assert "image datastore" in made.refusals[2].text()


def test_what_a_provider_allows_is_the_hosts_capacity() -> None:
    # Drivers of clouds report what an account may have as TOTALCPU and TOTALMEMORY.
    made = plan(cloud(_vms(4, "PUBLIC_CLOUD = YES"), _hosts(cpu=300)), conf(), 1)
    assert len(made.dispatches) == 3 and made.refusals[3].counts == {"requirements": 1, "cpu": 1}

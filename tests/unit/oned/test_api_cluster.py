"""Clusters: membership on both sides, reservations that hosts follow, refusals."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused


def _ids(core: Core, method: str, oid: int, path: str) -> list[str | None]:
    return [element.text for element in core.info(method, oid).findall(f"{path}/ID")]


def test_a_host_moves_with_both_sides(core: Core) -> None:
    cluster = core.call("cluster.allocate", "east")
    host = core.call("host.allocate", "n1", "dummy", "dummy", -1)
    assert cluster == 100 and _ids(core, "cluster.info", 0, "HOSTS") == ["0"]
    assert core.call("cluster.addhost", cluster, host) == cluster
    assert core.call("cluster.addhost", cluster, host) == cluster
    assert _ids(core, "cluster.info", 0, "HOSTS") == [] and _ids(core, "cluster.info", cluster, "HOSTS") == [
        "0"
    ]
    found = core.info("host.info", host)
    assert (found.findtext("CLUSTER_ID"), found.findtext("CLUSTER")) == ("100", "east")
    assert core.rows("SELECT cid FROM host_pool") == [(100,)]
    # The cluster that the call names does not matter, and the answer is the default cluster.
    assert core.call("cluster.delhost", 555, host) == 0
    assert _ids(core, "cluster.info", 0, "HOSTS") == ["0"]
    assert core.info("host.info", host).findtext("CLUSTER") == "default"


def test_a_datastore_lies_in_several_clusters(core: Core) -> None:
    cluster = core.call("cluster.allocate", "east")
    for _ in range(2):
        core.call("cluster.adddatastore", cluster, 1)
    assert _ids(core, "datastore.info", 1, "CLUSTERS") == ["0", "100"]
    assert _ids(core, "cluster.info", cluster, "DATASTORES") == ["1"]
    assert core.rows("SELECT cid FROM cluster_datastore_relation WHERE oid = 1 ORDER BY cid") == [
        (0,),
        (100,),
    ]
    for _ in range(2):
        core.call("cluster.deldatastore", 0, 1)
    assert _ids(core, "datastore.info", 1, "CLUSTERS") == ["100"]
    assert _ids(core, "cluster.info", 0, "DATASTORES") == ["0", "2"]
    assert core.rows("SELECT cid FROM cluster_datastore_relation WHERE oid = 1") == [(100,)]


def test_hosts_show_a_renamed_cluster(core: Core) -> None:
    core.call("host.allocate", "n1", "dummy", "dummy", 0)
    core.call("cluster.rename", 0, "west")
    assert core.info("host.info", 0).findtext("CLUSTER") == "west"


def test_hosts_follow_reservations(core: Core) -> None:
    east = core.call("cluster.allocate", "east")
    core.call("cluster.update", east, 'RESERVED_CPU="50%"', 1)
    for name in ("n1", "n2"):
        core.call("host.allocate", name, "dummy", "dummy", 0)
    core.store.run(
        lambda tx: tx.run(
            "UPDATE host_pool SET body = replace(replace(body, '<TOTAL_CPU>0<', '<TOTAL_CPU>800<'), "
            "'<TOTAL_MEM>0<', '<TOTAL_MEM>1000<')"
        )
    )

    def capacity(host: int) -> tuple[str | None, str | None]:
        share = core.info("host.info", host)
        return share.findtext("HOST_SHARE/MAX_CPU"), share.findtext("HOST_SHARE/MAX_MEM")

    core.call("host.update", 1, 'RESERVED_CPU="-25%"', 1)
    assert capacity(1) == ("1000", "1000")
    core.call("cluster.update", 0, 'RESERVED_CPU="100"\nRESERVED_MEM="1%"', 1)
    assert capacity(0) == ("700", "990")
    assert capacity(1) == ("1000", "990")
    core.call("cluster.addhost", east, 0)
    assert capacity(0) == ("400", "1000")
    core.call("cluster.delhost", east, 0)
    assert capacity(0) == ("700", "990")


def test_deletion(core: Core) -> None:
    cluster = core.call("cluster.allocate", "east")
    for member, add, remove in (
        ("host", "addhost", "delhost"),
        ("datastore", "adddatastore", "deldatastore"),
    ):
        oid = core.call("host.allocate", "n1", "dummy", "dummy", 0) if member == "host" else 1
        core.call(f"cluster.{add}", cluster, oid)
        with pytest.raises(Refused, match=f"it contains 1 {member}s") as refusal:
            core.call("cluster.delete", cluster)
        assert refusal.value.code == 0x800
        core.call(f"cluster.{remove}", cluster, oid)
    core.call(
        "acl.addrule", hex(0x100000002), hex(0x2000000000 | 0x800000000 | cluster), "0x1", "0x100000000"
    )
    assert core.call("cluster.delete", cluster) == cluster
    assert core.rows("SELECT id FROM cluster_vnc_bitmap") == [(0,)]
    assert f"%{cluster}" not in core.call("acl.info")
    # A deleted id is not given out again.
    assert core.call("cluster.allocate", "east") == cluster + 1


def test_others_see_and_change_nothing(core: Core) -> None:
    core.add_user("ann")
    assert core.call("clusterpool.info", user="ann") == "<CLUSTER_POOL></CLUSTER_POOL>"
    for method, args in (
        ("cluster.allocate", ("x",)),
        ("cluster.info", (0,)),
        ("cluster.update", (0, "A=1", 1)),
        ("cluster.rename", (0, "x")),
        ("cluster.delete", (0,)),
        ("cluster.adddatastore", (0, 1)),
    ):
        with pytest.raises(Refused) as refusal:
            core.call(method, *args, user="ann")
        assert refusal.value.code == 0x200, method
    # What is to be added or taken out is looked for before anybody's rights are.
    for member in ("host", "datastore", "vnet"):
        for method in (f"cluster.add{member}", f"cluster.del{member}"):
            with pytest.raises(Refused) as refusal:
                core.call(method, 0, 99, user="ann")
            assert (refusal.value.code, refusal.value.object_id) == (0x400, 99), method

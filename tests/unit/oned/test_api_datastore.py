"""Datastore methods: creation, permissions, states, deletion."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused

IMAGES = 'NAME="img"\nDS_MAD="dummy"\nTM_MAD="dummy"'


@pytest.fixture
def store(core: Core) -> int:
    """An image datastore of the default cluster."""
    oid: int = core.call("datastore.allocate", IMAGES, -1)
    return oid


def test_a_new_datastore(core: Core, store: int) -> None:
    document = core.info("datastore.info", store)
    assert store == 100
    assert document.findtext("BASE_PATH") == "/ds/100"
    assert [part.text for part in document.findall("CLUSTERS/ID")] == ["0"]
    assert [int(bit.text or 0) for bit in document.iterfind("PERMISSIONS/*")] == [1, 1, 0, 1, 0, 0, 0, 0, 0]
    assert "<ID>100</ID>" in core.call("cluster.info", 0)
    assert core.rows("SELECT cid, oid FROM cluster_datastore_relation WHERE oid = 100") == [(0, 100)]


@pytest.mark.parametrize(
    ("text", "cluster", "code", "message"),
    [
        (IMAGES, -1, 0x2000, "NAME is already taken by DATASTORE 100."),
        (IMAGES.replace("img", "x"), 55, 0x400, "Error getting cluster [55]."),
        ("DS_MAD=dummy\nTM_MAD=dummy", 0, 0x2000, "Invalid NAME, it cannot be empty"),
        ("NAME=x\nTM_MAD=dummy", 0, 0x2000, "No DS_MAD in template."),
        ("NAME=x\nTM_MAD=nope\nDS_MAD=fs", 0, 0x2000, 'TM_MAD named "nope" is not defined in oned.conf'),
        ("X", 0, 0x2000, "Parse error"),
    ],
)
def test_refused(core: Core, store: int, text: str, cluster: int, code: int, message: str) -> None:
    before = core.call("datastorepool.info"), core.call("clusterpool.info")
    with pytest.raises(Refused) as refusal:
        core.call("datastore.allocate", text, cluster)
    assert refusal.value.code == code and message in refusal.value.text
    assert (core.call("datastorepool.info"), core.call("clusterpool.info")) == before


def test_enable(core: Core, store: int) -> None:
    system = core.call("datastore.allocate", "NAME=sys\nTYPE=SYSTEM_DS\nTM_MAD=ssh", 0)
    assert core.call("datastore.enable", system, False) == system
    assert core.info("datastore.info", system).findtext("STATE") == "1"
    core.call("datastore.enable", system, True)
    assert core.info("datastore.info", system).findtext("STATE") == "0"
    with pytest.raises(Refused, match="Only SYSTEM_DS can be disabled or enabled") as refusal:
        core.call("datastore.enable", store, False)
    assert refusal.value.code == 0x2000


def test_owner_and_permissions(core: Core, store: int) -> None:
    uid = core.add_user("ann")
    core.call("datastore.chown", store, uid, -1)
    document = core.info("datastore.info", store, user="ann")
    assert [document.findtext(name) for name in ("UID", "GID", "UNAME", "GNAME")] == [
        "2",
        "0",
        "ann",
        "oneadmin",
    ]
    core.call("datastore.chown", store, uid, -1)  # datastores may be given to their owner again
    core.call("datastore.rename", store, "mine", user="ann")
    with pytest.raises(Refused) as refusal:
        core.call("datastore.delete", store, user="ann")
    assert refusal.value.code == 0x200
    core.call("datastore.chmod", store, 1, 1, 1, -1, -1, -1, -1, -1, -1)
    assert core.call("datastore.delete", store, user="ann") == store


def test_an_update_is_checked_like_a_new_one(core: Core, store: int) -> None:
    before = core.call("datastore.info", store)
    with pytest.raises(Refused, match='Cannot update template. TM_MAD named "nope"') as refusal:
        core.call("datastore.update", store, "TM_MAD=nope", 1)
    assert refusal.value.code == 0x2000 and core.call("datastore.info", store) == before
    core.call("datastore.update", store, "LIMIT_MB=5000", 1)
    assert core.info("datastore.info", store).findtext("TEMPLATE/LIMIT_MB") == "5000"


def test_deletion(core: Core, store: int) -> None:
    assert core.call("datastore.delete", 1) == 1, "as OpenNebula, which keeps other system objects"

    def images(text: str) -> None:
        core.store.run(
            lambda tx: tx.run(f"UPDATE datastore_pool SET body = replace(body, {text}) WHERE oid = ?", store)
        )

    images("'<IMAGES></IMAGES>', '<IMAGES><ID>3</ID></IMAGES>'")
    with pytest.raises(Refused, match="Datastore 100 is not empty") as refusal:
        core.call("datastore.delete", store)
    assert refusal.value.code == 0x800
    images("'<IMAGES><ID>3</ID></IMAGES>', '<IMAGES></IMAGES>'")
    assert core.call("datastore.delete", store) == store
    assert "<ID>100</ID>" not in core.call("cluster.info", 0)
    assert core.rows("SELECT * FROM cluster_datastore_relation WHERE oid = 100") == []

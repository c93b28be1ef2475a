"""A zone with objects of every kind, made through the API; tests get copies of its database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.oned.model.snapshots import Snapshots
from tests.support.cloud import Cloud
from tests.support.core import Core

# What oned.conf has besides the stock settings.
_CONF = """
MARKET_MAD_CONF = [ NAME = "dummy", APP_ACTIONS = "create, delete, monitor" ]
FEDERATION = [ MODE = "MASTER", ZONE_ID = 0, SERVER_ID = -1, MASTER_ONED = "" ]
"""
_RUN = (
    "<HOOK_EXECUTION_RECORD><HOOK_ID>0</HOOK_ID><EXECUTION_ID>0</EXECUTION_ID><TIMESTAMP>7</TIMESTAMP>"
    "<ARGUMENTS>a</ARGUMENTS><EXECUTION_RESULT><COMMAND>/bin/true</COMMAND><STDOUT/><STDERR/><CODE>0</CODE>"
    "</EXECUTION_RESULT></HOOK_EXECUTION_RECORD>"
)
STRANGER = "stranger"  # a user whose group may do nothing


def everything(core: Core) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the ids given so far: as in OpenNebula, a refusal may lose one."""
    tables = core.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'pool_control'")
    return {name: core.rows(f"SELECT * FROM {name}") for (name,) in tables}


class Furnished:
    """Objects of oneadmin's; ``ids`` has their ids by what they are."""

    def __init__(self, folder: Path) -> None:
        self.core = Core(folder, _CONF)
        self.ids: dict[str, int] = {}
        self._call = self.core.call
        self._cloud = Cloud(self.core)
        self._people()
        self._infrastructure()
        self._storage()
        self._networks()
        self._machines()
        self._others()
        self.core.zone.close()

    def copy(self, folder: Path) -> Core:
        """The zone with a database of its own."""
        return self.core.copy(folder / "copy.db")

    def _people(self) -> None:
        ids = self.ids
        ids["group"] = self._call("group.allocate", "people")
        ids["empty_group"] = self._call("group.allocate", "nobody")
        ids["strangers"] = self._call("group.allocate", "strangers")
        self._call("vdc.delgroup", 0, ids["strangers"])
        ids["user"] = self.core.add_user("alice", ids["group"])
        ids["other_user"] = self.core.add_user("bob", 1)
        ids["stranger"] = self.core.add_user(STRANGER, ids["strangers"])
        self._call("user.addgroup", ids["user"], 1)
        self._call("group.addadmin", ids["group"], ids["user"])
        self._call("acl.addrule", "0x100000063", "0x1400000000", "0x1", "0x100000000")
        rules = self.core.info("acl.info").findall("ACL/ID")
        ids["acl"] = max(int(rule.text or 0) for rule in rules)
        ids["vdc"] = self._call("vdc.allocate", "NAME=vdc", -1)
        self._call("vdc.addgroup", ids["vdc"], ids["group"])

    def _infrastructure(self) -> None:
        ids = self.ids
        ids["host"], ids["other_host"] = self._cloud.host, self._cloud.other
        ids["free_host"] = self._cloud.add_host("spare")
        ids["cluster"] = self._call("cluster.allocate", "cluster")
        ids["empty_cluster"] = self._call("cluster.allocate", "empty")
        ids["zone"] = 0
        ids["other_zone"] = self._call("zone.allocate", "NAME=far\nENDPOINT=http://far:2633/RPC2")
        for kind, oid in (("host", ids["host"]), ("cluster", ids["cluster"]), ("datastore", 1)):
            self._call(f"vdc.add{kind}", ids["vdc"], 0, oid)

    def _storage(self) -> None:
        ids, images = self.ids, self._cloud.images
        ids["datastore"] = images.store
        ids["empty_datastore"] = self._call(
            "datastore.allocate", "NAME=bare\nDS_MAD=dummy\nTM_MAD=dummy\nDATASTORE_CAPACITY_CHECK=NO", 0
        )
        ids["image"] = images.ready('NAME=os TYPE=OS SIZE=10 PATH="/os"')
        ids["spare_image"] = images.ready('NAME=spare TYPE=OS SIZE=10 PATH="/spare"')
        ids["kept_image"] = images.ready('NAME=kept TYPE=DATABLOCK SIZE=10 PERSISTENT=YES PATH="/kept"')
        for image in ("image", "spare_image", "kept_image"):
            self._call("image.chmod", ids[image], 1, 1, 0, 0, 0, 0, 0, 0, 0)
        ids["template"] = self._call("template.allocate", "NAME=tmpl\nCPU=0.1\nMEMORY=16\nNOTE=1")
        ids["market"] = self._call("market.allocate", "NAME=shop\nMARKET_MAD=dummy")
        ids["empty_market"] = self._call("market.allocate", "NAME=bare\nMARKET_MAD=dummy")
        app = f"NAME=app\nORIGIN_ID={ids['image']}\nVERSION=1"
        ids["app"] = self._call("marketapp.allocate", app, ids["market"])
        while images.waiting():
            images.end(output='SOURCE="s3://a"\nMD5="m"\nSIZE="77"\nFORMAT="raw"')
        snapshots = Snapshots()
        for size_mb in (10, 20, 30):
            snapshots.activate(snapshots.create("", size_mb), revert=False)
        snapshots.activate(0, revert=True)
        snapshots.activate(snapshots.create("", 40), revert=False)
        ids["layered_image"] = images.ready('NAME=layered PATH="/x" PERSISTENT=YES')
        images.edit(ids["layered_image"], snapshots=snapshots)

    def _networks(self) -> None:
        ids = self.ids
        ids["vnet"] = self._cloud.lan()
        self._call("vn.hold", ids["vnet"], "LEASES=[IP=10.0.0.9]")
        ids["empty_vnet"] = self._call("vn.allocate", "NAME=bare\nVN_MAD=dummy\nBRIDGE=br1", 0)
        ids["secgroup"] = self._call("secgroup.allocate", "NAME=rules\nRULE=[PROTOCOL=TCP,RULE_TYPE=inbound]")
        ids["vntemplate"] = self._call("vntemplate.allocate", "NAME=nets\nVN_MAD=dummy\nBRIDGE=br2")
        ids["vrouter"] = self._call("vrouter.allocate", f"NAME=router\nNIC=[NETWORK_ID={ids['vnet']}]")
        ids["vrouter_template"] = self._call(
            "template.allocate", "NAME=routers\nCPU=0.1\nMEMORY=16\nVROUTER=YES"
        )

    def _machines(self) -> None:
        ids, cloud = self.ids, self._cloud
        ids["vmgroup"] = self._call("vmgroup.allocate", "NAME=roles\nROLE=[NAME=a]")
        ids["vm"] = cloud.vm("NAME=held", hold=True)
        ids["pending_vm"] = cloud.vm("NAME=waiting")
        devices = f"DISK=[IMAGE_ID={ids['image']}]\nNIC=[NETWORK_ID={ids['vnet']}]\nDISK=[SIZE=5,TYPE=fs]"
        ids["running_vm"] = cloud.running(f"NAME=busy\n{devices}")
        self._call("vm.snapshotcreate", ids["running_vm"], "before")
        cloud.end("vmm.SNAPSHOT_CREATE")
        ids["off_vm"] = cloud.off(f"NAME=off\n{devices}\nDISK=[IMAGE_ID={ids['kept_image']}]")
        # The active snapshot has no children: then the published schemas and OpenNebula agree on the order.
        for name in ("one", "two", "back", "three"):
            if name == "back":
                self._call("vm.disksnapshotrevert", ids["off_vm"], 2, 0)
                cloud.end("tm.DISK_SNAPSHOT_REVERT")
                continue
            self._call("vm.disksnapshotcreate", ids["off_vm"], 2, name)
            cloud.end("tm.DISK_SNAPSHOT_CREATE")
        ids["stuck_vm"] = cloud.vm("NAME=stuck")
        self._call("vm.deploy", ids["stuck_vm"], ids["host"], False, -1, "")
        cloud.end("tm.PROLOG", ok=False)

    def _others(self) -> None:
        ids = self.ids
        ids["document"] = self._call("document.allocate", "NAME=paper\nA=1", 100)
        hook = "NAME=hook\nTYPE=api\nCALL=one.vm.allocate\nCOMMAND=/bin/true"
        ids["hook"] = self._call("hook.allocate", hook)
        self.core.store.run(
            lambda tx: tx.run("INSERT INTO hook_log VALUES (?, 0, 7, 0, ?)", ids["hook"], _RUN)
        )

"""A zone with something of everything that the consistency check counts, and tests that break it by hand."""

from __future__ import annotations

from pathlib import Path

from services.oned.model.host import Host
from services.oned.store import Tx
from tests.support.cloud import Cloud
from tests.support.core import Core

_CONF = 'MARKET_MAD_CONF = [ NAME = "dummy", APP_ACTIONS = "create, delete, monitor" ]'
_ADDRESSES = ("0000:00:02:0", "0000:00:03:0")


class Breakable:
    """The zone; ``ids`` has the ids of its objects by what they are. Alice owns what quotas count."""

    def __init__(self, folder: Path) -> None:
        self.core = Core(folder, _CONF)
        self.ids: dict[str, int] = {}
        self._call, self._cloud = self.core.call, Cloud(self.core)
        self._people()
        self._places()
        self._machines()
        self.core.zone.close()

    def copy(self, folder: Path) -> Core:
        """The zone with a database file of its own."""
        return self.core.copy(folder / "var/one.db")

    def _people(self) -> None:
        ids = self.ids
        ids["group"] = self._call("group.allocate", "people")
        ids["alice"] = self.core.add_user("alice", ids["group"])
        ids["bob"] = self.core.add_user("bob", ids["group"])
        self._call("user.addgroup", ids["bob"], 1)
        self._call("group.addadmin", ids["group"], ids["alice"])
        self._call("user.quota", ids["alice"], "VM=[VMS=9]\nDATASTORE=[ID=100,IMAGES=5]")
        self._call("group.quota", ids["group"], "VM=[CPU=20]")

    def _places(self) -> None:
        ids, cloud = self.ids, self._cloud
        ids["host"], ids["other_host"] = cloud.host, cloud.other
        ids["cluster"] = self._call("cluster.allocate", "far")
        ids["vdc"] = self._call("vdc.allocate", "NAME=vdc", -1)
        self._call("vdc.addgroup", ids["vdc"], ids["group"])
        self._call("vdc.addhost", ids["vdc"], 0, ids["host"])
        ids["datastore"] = cloud.images.store
        ids["image"] = cloud.images.ready("NAME=os\nTYPE=OS\nSIZE=10\nPATH=/os")
        ids["kept"] = cloud.images.ready("NAME=kept\nTYPE=DATABLOCK\nSIZE=10\nPERSISTENT=YES\nPATH=/kept")
        ids["spare"] = cloud.images.ready("NAME=spare\nTYPE=OS\nSIZE=10\nPATH=/spare")
        ids["market"] = self._call("market.allocate", "NAME=shop\nMARKET_MAD=dummy")
        ids["app"] = self._call("marketapp.allocate", f"NAME=app\nORIGIN_ID={ids['spare']}", ids["market"])
        while cloud.images.waiting():
            cloud.images.end(output='SOURCE="s3://a"\nMD5="m"\nSIZE="77"\nFORMAT="raw"')
        ids["net"] = cloud.lan()
        ids["vlan"] = self._call(
            "vn.allocate", "NAME=v\nVN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES", 0
        )
        ids["reserved"] = self._call("vn.reserve", ids["net"], "NAME=mine\nSIZE=2")
        self._call("vn.hold", ids["net"], "LEASES=[IP=10.0.0.9]")
        ids["secgroup"] = self._call("secgroup.allocate", "NAME=rules\nRULE=[PROTOCOL=TCP,RULE_TYPE=inbound]")
        self.core.store.run(self._add_devices)

    def _add_devices(self, tx: Tx) -> None:
        host = Host.load(tx, self.ids["other_host"])
        host.share.pci.report({"ADDRESS": address} for address in _ADDRESSES)
        host.share.numa.report(
            [{"NODE_ID": "0", "ID": "0", "CPUS": "0,1"}],
            [{"NODE_ID": "0", "SIZE": "2048", "PAGES": "64", "FREE": "64"}],
            [{"NODE_ID": "0", "TOTAL": "1048576", "FREE": "1048576", "USED": "0", "DISTANCE": "0"}],
        )
        host.save(tx)

    def _machines(self) -> None:
        ids, cloud = self.ids, self._cloud
        ids["vmgroup"] = self._call("vmgroup.allocate", "NAME=roles\nROLE=[NAME=a]\nROLE=[NAME=b]")
        ids["template"] = self._call("template.allocate", "NAME=t\nCPU=0.1\nMEMORY=16\nVROUTER=YES")
        ids["vrouter"] = self._call(
            "vrouter.allocate", f"NAME=r\nNIC=[NETWORK_ID={ids['net']},FLOATING_IP=YES]"
        )
        self._call("vrouter.instantiate", ids["vrouter"], 1, ids["template"], "", False, "")
        (member,) = self.core.info("vrouter.info", ids["vrouter"]).findall("VMS/ID")
        ids["member"] = int(member.text or -1)
        ids["vm"] = cloud.running(
            f"NAME=busy\nDISK=[IMAGE_ID={ids['image']}]\nDISK=[IMAGE_ID={ids['kept']}]\n"
            f"NIC=[NETWORK_ID={ids['net']},SECURITY_GROUPS={ids['secgroup']}]\n"
            f"GRAPHICS=[TYPE=vnc,LISTEN=0.0.0.0]\nVMGROUP=[VMGROUP_ID={ids['vmgroup']},ROLE=a]"
        )
        self._call("vm.chown", ids["vm"], ids["alice"], ids["group"])
        self._call("image.chown", ids["spare"], ids["alice"], ids["group"])
        ids["off"] = cloud.off("NAME=off")
        self._call("vm.action", "resume", ids["off"])
        cloud.end("vmm.DEPLOY")
        ids["ended"] = cloud.running("NAME=ended")
        cloud.act("terminate-hard", ids["ended"], "vmm.CANCEL", "tm.EPILOG")
        ids["document"] = self._call("document.allocate", "NAME=paper\nA=1", 100)
        ids["hook"] = self._call("hook.allocate", "NAME=h\nTYPE=api\nCALL=one.vm.allocate\nCOMMAND=/bin/true")

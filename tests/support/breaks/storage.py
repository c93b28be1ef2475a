"""Images, marketplaces, networks and their leases."""

from __future__ import annotations

from services.oned.store import Tx
from services.oned.store.vlans import VlanMap
from tests.support.breaks.base import Break, body


def _vlan(tx: Tx) -> None:
    found = VlanMap.load(tx)
    found.mark(3000, True)
    found.save(tx)


_NET_0 = "virtual network 0"
STORAGE = (
    Break(
        "the users of an image",
        body(
            "image_pool", 0, ("<VMS><ID>1</ID></VMS>", "<VMS></VMS>"), ("<RUNNING_VMS>1<", "<RUNNING_VMS>4<")
        ),
        (
            "image 0: VMS are [], expected [1]",
            "image 0: RUNNING_VMS is 4, it lists 0 VMs",
        ),
    ),
    Break(
        "the state of an image",
        body("image_pool", 1, ("<STATE>8<", "<STATE>1<")),
        ("image 1: is READY, but 1 virtual machines or copies use it",),
    ),
    Break(
        "an image that nobody works on",
        body("image_pool", 2, ("<STATE>1<", "<STATE>4<")),
        ("image 2: is LOCKED, but no driver works on it",),
    ),
    Break(
        "the images of a datastore",
        body("datastore_pool", 100, ("<IMAGES><ID>0</ID>", "<IMAGES><ID>77</ID>")),
        ("datastore 100: IMAGES are [1, 2, 77], expected [0, 1, 2]",),
    ),
    Break(
        "the appliances of a marketplace",
        body("marketplace_pool", 100, ("<MARKETPLACEAPPS><ID>0</ID>", "<MARKETPLACEAPPS><ID>9</ID>")),
        ("marketplace 100: MARKETPLACEAPPS are [9], the appliances say [0]",),
    ),
    Break(
        "the name of an appliance's marketplace",
        body("marketplaceapp_pool", 0, ("<MARKETPLACE>shop<", "<MARKETPLACE>old<")),
        ("marketplaceapp 0: MARKETPLACE is 'old', the marketplace's name is 'shop'",),
    ),
    Break(
        "an appliance that nobody works on",
        body("marketplaceapp_pool", 0, ("<STATE>1<", "<STATE>2<")),
        (
            "marketplaceapp 0: is LOCKED, but no driver works on it",
            "image 2: APP_CLONES are [], expected [0]",
        ),
        has_more=True,
    ),
    Break(
        "leases that nobody has, and one too few",
        body(
            "network_pool",
            0,
            (" 4 68719476737 8 ", " 6 68719476801 7 1125899906842690 8 "),
            ("<USED_LEASES>6<", "<USED_LEASES>7<"),
        ),
        (
            f"{_NET_0}: address 02:00:0a:00:00:07 of virtual machine 65 is recorded, but not used there",
            f"{_NET_0}: address 02:00:0a:00:00:08 of virtual router 66 is recorded, but not used there",
            f"{_NET_0}: address 02:00:0a:00:00:05 of virtual machine 1 is not recorded in the network",
        ),
    ),
    Break(
        "an address on hold that a machine has",
        body("network_pool", 0, (" 4 68719476737 ", " 4 73014444031 ")),
        (f"{_NET_0}: address 02:00:0a:00:00:05 of virtual machine 1 is not recorded in the network",),
    ),
    Break(
        "a reservation that is not recorded",
        body(
            "network_pool",
            0,
            (" 0 274877906946 1 274877906946 ", " 0 274877906946 "),
            ("<USED_LEASES>6<", "<USED_LEASES>5<"),
        ),
        (f"{_NET_0}: address 02:00:0a:00:00:02 of reservation 2 is not recorded in the network",),
    ),
    Break(
        "a range that is too small",
        body("network_pool", 0, ("<SIZE><![CDATA[10]]>", "<SIZE><![CDATA[5]]>")),
        ("virtual network 0: range 0 has leases beyond its size, 5",),
    ),
    Break(
        "the number of leases",
        body("network_pool", 0, ("<USED_LEASES>6<", "<USED_LEASES>9<")),
        ("virtual network 0: USED_LEASES is 9, 6 addresses are leased",),
    ),
    Break(
        "the virtual routers of a network",
        body("network_pool", 0, ("<VROUTERS><ID>0</ID>", "<VROUTERS><ID>0</ID><ID>9</ID>")),
        ("virtual network 0: VROUTERS lists [9], which have no card there",),
    ),
    Break("the VLAN ids", _vlan, ("VLAN ids: [3, 3000] are given out, the virtual networks have [3]",)),
)

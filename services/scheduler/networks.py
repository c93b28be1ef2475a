"""Choosing networks for interfaces in automatic mode, and keeping count of their leases while a plan grows.

Source: automatic network selection, VM template reference and networks guide of release 6.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.common import matching
from services.scheduler import expression
from services.scheduler.expression import ExpressionError, Rank
from services.scheduler.records import AutoNic, Network

_LIVE = ("USED_LEASES", "/VNET/USED_LEASES")

#: For each interface its number and the network that it gets.
Choice = tuple[tuple[int, int], ...]


class Networks:
    """The networks of a snapshot with the leases left in them; the earlier of two equal ones is taken."""

    def __init__(self, networks: Sequence[Network], order: Sequence[int]) -> None:
        self.all = [networks[index] for index in order]
        self.by_id = {network.id: network for network in self.all}
        self.free = {network.id: network.free_leases for network in self.all}
        self.version = 0

    def take(self, choice: Choice, times: int = 1) -> None:
        """Count leases; times -1 gives them back."""
        for _, network_id in choice:
            self.free[network_id] -= times
            self.version += 1

    def look(self, network: Network, name: str) -> Sequence[str]:
        """Attribute values as they are now: USED_LEASES grows with each placement."""
        values = network.attributes.values(name)
        used = expression.number(values[0]) if name in _LIVE and values else None
        if used is None:
            return values
        return (str(int(used) + network.free_leases - self.free[network.id]),)


class _Nic:
    """The networks that one interface may have. Raises ExpressionError, naming interface and attribute."""

    def __init__(
        self, networks: Networks, nic: AutoNic, default_rank: str, allowed: frozenset[int] | None
    ) -> None:
        self.id = nic.id
        self._networks = networks
        try:
            tests = [expression.requirement(text) for text in nic.requirements]
        except ExpressionError as error:
            raise ExpressionError(f"SCHED_REQUIREMENTS of NIC {nic.id}: {error}") from None
        try:
            self._rank: Rank = expression.rank(nic.rank or default_rank)
        except ExpressionError as error:
            raise ExpressionError(f"SCHED_RANK of NIC {nic.id}: {error}") from None
        self.fitting = [
            network
            for network in networks.all
            if (allowed is None or network.id in allowed)
            and all(test.evaluate(network.attributes.values) for test in tests)
        ]

    def best_first(self, cluster_id: int) -> list[int]:
        """Ids of networks with a lease in a cluster."""
        look = self._networks.look
        ranked = [
            (-self._rank.evaluate(lambda name, one=network: look(one, name)), place)  # type: ignore[misc]
            for place, network in enumerate(self.fitting)
            if cluster_id in network.cluster_ids and self._networks.free[network.id] > 0
        ]
        return [self.fitting[place].id for _, place in sorted(ranked)]


class NetworkChoice:
    """The networks for all automatic interfaces of VMs that ask for the same.

    is_different: each interface gets a network of its own. allowed: ids that the owner may use, None for all.
    Raises ExpressionError.
    """

    def __init__(
        self,
        networks: Networks,
        nics: Iterable[AutoNic],
        default_rank: str,
        allowed: frozenset[int] | None,
        is_different: bool,
    ) -> None:
        self._networks = networks
        self._nics = [_Nic(networks, nic, default_rank, allowed) for nic in nics]
        self._is_different = is_different
        self._known: dict[int, tuple[int, Choice | None]] = {}

    def choose(self, cluster_id: int) -> Choice | None:
        """A network for each interface of a VM in a cluster now, None when they cannot all have one."""
        if not self._nics:
            return ()
        version, choice = self._known.get(cluster_id, (-1, None))
        if version != self._networks.version:
            choice = self._choose(cluster_id)
            self._known[cluster_id] = (self._networks.version, choice)
        return choice

    def _choose(self, cluster_id: int) -> Choice | None:
        wishes = [nic.best_first(cluster_id) for nic in self._nics]
        free = self._networks.free
        chosen = matching.assign(wishes, lambda one: 1 if self._is_different else free[one])
        if chosen is None:
            return None
        return tuple((nic.id, one) for nic, one in zip(self._nics, chosen, strict=True))

    def words(self) -> str:
        """What is missing where nothing can be chosen."""
        for nic in self._nics:
            if not nic.fitting:
                return f"no network satisfies NIC {nic.id}, or its owner may use none"
        return "no networks with free leases for its automatic interfaces"


def template(choice: Choice) -> str:
    """The text that tells one.vm.deploy what was chosen; empty without automatic interfaces."""
    return "\n".join(
        f'NIC=[NIC_ID="{nic_id}",NETWORK_MODE="auto",NETWORK_ID="{network_id}"]'
        for nic_id, network_id in choice
    )

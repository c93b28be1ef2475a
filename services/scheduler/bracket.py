"""A tournament over hosts: which one ranks best among those with enough room.

Every inner node knows the best rank and the most CPU, memory and disk below it, so a search looks only where
a suitable host can be. What a node knows may be too good, never too bad: when the search arrives at a host
it asks for the present figures, and a host that got worse meanwhile is put back with what it has now. So a
placement costs nothing in the tournaments of other VMs until they come across that host. A host that got
better must be announced with refresh().
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

#: Rank, free CPU (percent), free memory (KB) and free disk (MB) of a host; CPU -1 when it takes nothing now.
Figures = tuple[float, int, int, int]

_WORST = float("-inf")


class Bracket:
    """The tournament of some hosts; equal ranks are decided by the order in which hosts are given."""

    def __init__(self, hosts: Sequence[int], figures: Callable[[int], Figures]) -> None:
        self._hosts = hosts
        self._figures = figures
        self._size = size = 1 << max(0, (len(hosts) - 1).bit_length())
        self._leaf = {host: size + position for position, host in enumerate(hosts)}
        self._rank = [_WORST] * (2 * size)
        self._cpu: list[float] = [-1] * (2 * size)
        self._memory: list[float] = [-1] * (2 * size)
        self._disk: list[float] = [-1] * (2 * size)
        self._rows = (self._rank, self._cpu, self._memory, self._disk)
        for host, leaf in self._leaf.items():
            self._rank[leaf], self._cpu[leaf], self._memory[leaf], self._disk[leaf] = figures(host)
        for node in range(size - 1, 0, -1):
            self._combine(node)

    def _combine(self, node: int) -> None:
        for row in self._rows:
            left, right = row[2 * node], row[2 * node + 1]
            row[node] = left if left >= right else right

    def __contains__(self, host: int) -> bool:
        return host in self._leaf

    def refresh(self, host: int) -> None:
        """Take over the present figures of a host; hosts that are not in this tournament are ignored."""
        leaf = self._leaf.get(host)
        if leaf is not None:
            self._set(leaf, self._figures(host))

    def _set(self, leaf: int, figures: Figures) -> None:
        self._rank[leaf], self._cpu[leaf], self._memory[leaf], self._disk[leaf] = figures
        for row in self._rows:
            node = leaf >> 1
            while node:
                left, right = row[2 * node], row[2 * node + 1]
                best = left if left >= right else right
                if row[node] == best:
                    break  # nothing changes further up
                row[node] = best
                node >>= 1

    def candidates(self, cpu: int, memory_kb: int, disk_mb: int) -> Iterator[int]:
        """The hosts with that much room, best rank first."""
        ranks, cpus, memories, disks = self._rank, self._cpu, self._memory, self._disk
        size, depth = self._size, self._size.bit_length()
        if cpus[1] < cpu or memories[1] < memory_kb or disks[1] < disk_mb:
            return
        # Equal ranks: the node whose first host comes first, so that the given order decides among hosts too.
        open_nodes: list[tuple[float, int, int]] = [(-ranks[1], size, 1)]
        while open_nodes:
            known, first, node = heapq.heappop(open_nodes)
            if node < size:
                for child in (2 * node, 2 * node + 1):
                    if cpus[child] >= cpu and memories[child] >= memory_kb and disks[child] >= disk_mb:
                        first = child << (depth - child.bit_length())
                        heapq.heappush(open_nodes, (-ranks[child], first, child))
                continue
            host = self._hosts[node - size]
            figures = self._figures(host)
            if figures != (ranks[node], cpus[node], memories[node], disks[node]):
                self._set(node, figures)
                if figures[1] < cpu or figures[2] < memory_kb or figures[3] < disk_mb:
                    continue
                if -figures[0] != known:
                    heapq.heappush(open_nodes, (-figures[0], first, node))
                    continue
            yield host

"""CPUs, memory and pages of NUMA nodes: nothing is given twice, all comes back, and what can fit does."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from services.common import numa_pin, xmldoc
from services.common.numa import Nodes
from services.common.template import Vector

_host = st.tuples(
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 2),
    st.sets(st.integers(0, 20)),
)
_vm = st.tuples(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from([100, 400, 1000])), min_size=1, max_size=3),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from(["CORE", "THREAD", "SHARED"]),
    st.sampled_from(["", "2"]),
)


def host(nodes: int, cores: int, threads: int, vms_thread: int, reserved: set[int]) -> Nodes:
    """A host with 5,000 KB and two pages of 2 MB on each node; reserved: CPUs kept for the host itself."""
    made = Nodes(vms_thread)
    made.report(
        [
            {"NODE_ID": str(core // cores), "ID": str(core),
             "CPUS": ",".join(str(core * threads + thread) for thread in range(threads))}
            for core in range(nodes * cores)
        ],
        [{"NODE_ID": str(node), "SIZE": "2048", "PAGES": "2"} for node in range(nodes)],
        [{"NODE_ID": str(node), "TOTAL": "5000", "DISTANCE": str(node)} for node in range(nodes)],
    )  # fmt: skip
    made.reserve(",".join(map(str, reserved)))
    return made


def vectors(vm: tuple[list[tuple[int, int]], int, str, str]) -> tuple[Vector, list[Vector]]:
    nodes, threads, policy, page_mb = vm
    topology = {"PIN_POLICY": policy, "THREADS": str(threads), "SOCKETS": "1", "HUGEPAGE_SIZE": page_mb}
    scale = 4 if page_mb else 1  # 400, 1600 or 4000 KB: none, or one page
    return topology, [{"TOTAL_CPUS": str(cpus), "MEMORY": str(memory * scale)} for cpus, memory in nodes]


@given(_host, st.lists(_vm, max_size=6), st.data())
def test_what_vms_hold(
    given_host: tuple[int, int, int, int, set[int]],
    vms: list[tuple[list[tuple[int, int]], int, str, str]],
    data: st.DataObject,
) -> None:
    made = host(*given_host)
    before = made.to_xml()
    held: dict[int, tuple[Vector, list[Vector]]] = {}
    for vm_id, vm in enumerate(vms):
        topology, nodes = vectors(vm)
        as_it_was = made.to_xml()
        if numa_pin.take(made, vm_id, topology, nodes):
            held[vm_id] = topology, nodes
        else:
            assert made.to_xml() == as_it_was, "a refusal changes nothing"
        _assert_sound(made, held, given_host[4])
    for vm_id in data.draw(st.permutations(sorted(held))):
        numa_pin.release(made, vm_id, *held[vm_id], has_left=False)
        assert all("CPUS" not in node and "NODE_ID" not in node for node in held[vm_id][1])
    assert made.to_xml() == before
    again = Nodes.from_element(xmldoc.parse(before), made.vms_thread)
    assert again.to_xml() == before


def _assert_sound(made: Nodes, held: dict[int, tuple[Vector, list[Vector]]], reserved: set[int]) -> None:
    users: dict[int, list[int]] = {}
    for vm_id, (topology, nodes) in held.items():
        for node in nodes:
            cpus = [int(text) for text in node["CPUS"].split(",")]
            assert len(cpus) == int(node["TOTAL_CPUS"])
            assert not reserved & set(cpus)
            place = made.by_id[int(node["NODE_ID"])]
            assert set(cpus) <= {cpu for core in place.cores.values() for cpu in core.cpus}
            for cpu in cpus:
                users.setdefault(cpu, []).append(vm_id)
        assert int(topology["CORES"]) * int(topology["THREADS"]) <= sum(int(n["TOTAL_CPUS"]) for n in nodes)
    assert all(len(vm_ids) <= made.vms_thread for vm_ids in users.values())
    for core in made.cores():
        inside = {vm_id for vm_ids in core.cpus.values() for vm_id in vm_ids}
        if core.is_dedicated:
            assert len(inside) == 1 and held[next(iter(inside))][0]["PIN_POLICY"] == "CORE"
    for place in made.by_id.values():
        assert 0 <= place.usage_kb <= place.total_kb
        assert all(0 <= pages.usage <= pages.pages for pages in place.pages.values())


@given(_host, _vm, _vm)
def test_a_vm_fits_when_any_way_to_spread_its_nodes_fits(
    given_host: tuple[int, int, int, int, set[int]],
    first: tuple[list[tuple[int, int]], int, str, str],
    second: tuple[list[tuple[int, int]], int, str, str],
) -> None:
    made = host(*given_host)
    numa_pin.take(made, 1, *vectors(first))
    asked = numa_pin.pinning(*vectors(second))
    assert asked is not None
    assert (numa_pin.fit(made, asked) is not None) == _any_way(made, asked)


def _any_way(made: Nodes, asked: numa_pin.Pinning) -> bool:
    threads_here = len(next(made.cores()).cpus)
    options = [1] if asked.is_dedicated else [one for one in (1, 2, 4) if one <= threads_here]
    if asked.threads and not asked.is_dedicated:
        options = [one for one in options if one == asked.threads]
    node_ids = sorted(made.by_id)
    for threads in options:
        if any(cpus % threads for cpus, _ in asked.nodes):
            continue
        for spread in product(product(node_ids, node_ids), repeat=len(asked.nodes)):
            if all(_has_room(made, asked, threads, node_id, list(spread)) for node_id in node_ids):
                return True
    return False


def _has_room(
    made: Nodes, asked: numa_pin.Pinning, threads: int, node_id: int, spread: list[tuple[int, int]]
) -> bool:
    node = made.by_id[node_id]
    pairs = list(zip(asked.nodes, spread, strict=True))
    groups = sum(cpus // threads for (cpus, _), (cpu_node, _) in pairs if cpu_node == node_id)
    here = [memory_kb for (_, memory_kb), (_, memory_node) in pairs if memory_node == node_id]
    if groups > node.groups(threads, made.vms_thread, asked.is_dedicated):
        return False
    if sum(here) > node.total_kb - node.usage_kb:
        return False
    if not asked.page_kb or not here:
        return True
    left = node.pages[asked.page_kb].pages - node.pages[asked.page_kb].usage
    return sum(one // asked.page_kb for one in here) <= left

"""Giving each of several wishes something that it can use: devices to requests, networks to interfaces."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def assign(wishes: Sequence[Sequence[K]], room: Callable[[K], int]) -> list[K] | None:
    """One choice for each wish, None when they cannot all have one.

    wishes: for each, what it can use, best first. room: how many wishes may share a choice. Earlier wishes
    get what they like best, unless a later one would then go without.
    """
    holders: dict[K, list[int]] = {}
    chosen: dict[int, K] = {}

    def place(wish: int, seen: set[K]) -> bool:
        for choice in wishes[wish]:
            held = holders.setdefault(choice, [])
            if choice not in seen and len(held) < room(choice):
                held.append(wish)
                chosen[wish] = choice
                return True
        for choice in wishes[wish]:
            if choice in seen:
                continue
            seen.add(choice)
            held = holders[choice]
            for position, other in enumerate(held):
                if place(other, seen):
                    held[position] = wish
                    chosen[wish] = choice
                    return True
        return False

    for number in range(len(wishes)):
        if not place(number, set()):
            return None
    return [chosen[number] for number in range(len(wishes))]

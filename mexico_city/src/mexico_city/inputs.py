"""The inputs of a computation: who may still provide what, and in which order a program sees them.

A policy's order lists client ids; a client that stands in it n times provides n packages. Because
nobody can provide more than that, nor one package twice, the order always works out when the last
one is in: for each id in the list, that client's lowest package not yet taken.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import field

from colima.runtime import ContentKind, RefusalReason
from mexico_city.content import Content
from mexico_city.errors import DeniedError
from veracruz_utils.frozen import frozen
from veracruz_utils.secret import Secret


@frozen
class Slot:
    """A place that is reserved for one upload until it is filled or given back.

    `replaces` says that there is a package in it, which stays until then.
    """

    kind: ContentKind
    client_id: int
    package_id: int
    size: int
    replaces: bool = field(default=False, compare=False)


@frozen
class Package:
    """One input that is in, `since` so many seconds after 1970 by the host's clock.

    `commitment` (32 bytes) stands for it in receipts.
    """

    slot: Slot
    content: Content
    salt: Secret
    commitment: bytes
    since: int = 0


class Inputs:
    """The packages of one kind: those that are in, and places reserved for those on their way."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = tuple(order)
        self._places = Counter(self._order)
        self._packages: dict[tuple[int, int], Package] = {}
        self._reserved: dict[tuple[int, int], Slot] = {}

    @property
    def expected(self) -> bool:
        """Whether the policy's order names anybody."""
        return bool(self._order)

    @property
    def complete(self) -> bool:
        """Whether everything the policy's order names is in."""
        if len(self._packages) != len(self._order):
            return False
        return Counter(client for client, _ in self._packages) == self._places

    def size(self, *, beside: Slot | None = None) -> int:
        """Bytes that are in or on their way, of all places or all but the one of `beside`.

        Of a package and what comes instead of it the larger counts: there will be one of them.
        """
        keys = {*self._packages, *self._reserved}
        if beside is not None:
            keys.discard((beside.client_id, beside.package_id))
        return sum(self._size_at(key) for key in keys)

    def reserve(self, slot: Slot, label: str) -> None:
        """Keep a place for this package of the principal with this name.

        Raises:
            DeniedError: it was provided and is not to be replaced, is being provided, or there is
                no place left.
        """
        client_id, package_id = slot.client_id, slot.package_id
        # Those on their way count: two sessions of one client could each be given the last place.
        keys = {*self._packages, *self._reserved}
        taken = {package for client, package in keys if client == client_id}
        if slot.replaces and (client_id, package_id) not in self._reserved:
            taken.discard(package_id)
        if package_id in taken:
            raise DeniedError(
                RefusalReason.DUPLICATE_PACKAGE,
                found=f"package {package_id} of {label}, a second time",
                expected="each package once, or to replace it",
            )
        places = self._places[client_id]
        if len(taken) >= places:
            raise DeniedError(
                RefusalReason.NOT_EXPECTED,
                found=f"{slot.kind.name.lower()} package {package_id} of {label}",
                expected=f"{places} of that client, {len(taken)} provided",
            )
        self.hold(slot)

    def release(self, slot: Slot) -> None:
        """The upload is not coming; nothing has changed."""
        if self.holds(slot):
            del self._reserved[slot.client_id, slot.package_id]

    def hold(self, slot: Slot) -> None:
        """Keep a place again that was released a moment ago."""
        self._reserved[slot.client_id, slot.package_id] = slot

    def holds(self, slot: Slot) -> bool:
        """Whether a place is kept for this upload, and not for another that is just like it."""
        return self._reserved.get((slot.client_id, slot.package_id)) is slot

    @property
    def replacing(self) -> bool:
        """Whether something is on its way instead of a package that is in."""
        return not self._packages.keys().isdisjoint(self._reserved)

    def find(self, client_id: int, package_id: int) -> Package | None:
        """The package, if it is in."""
        return self._packages.get((client_id, package_id))

    def fill(self, package: Package) -> None:
        """The upload is in, and what was in its place is not any more."""
        key = (package.slot.client_id, package.slot.package_id)
        self._reserved.pop(key, None)
        self.remove(*key)
        self._packages[key] = package

    def remove(self, client_id: int, package_id: int) -> bool:
        """Forget this package; whether it was in."""
        package = self._packages.pop((client_id, package_id), None)
        if package is not None:
            package.content.close()
        return package is not None

    def in_order(self) -> list[Package]:
        """The packages as the program counts them: index 0, 1, ..."""
        waiting = {
            client: iter(list(keys))
            for client, keys in itertools.groupby(sorted(self._packages), key=lambda key: key[0])
        }
        return [self._packages[next(waiting[client])] for client in self._order]

    def places(self) -> list[tuple[int, Package | tuple[int, int] | None]]:
        """For each place of the order its client, and what is in it or on its way.

        That is a package; its number and size; or None. Who numbers packages from 0 fills the
        places by their numbers, and otherwise in the order of the numbers.
        """
        here: dict[int, dict[int, Package | tuple[int, int]]] = {}
        for (client, number), slot in self._reserved.items():
            here.setdefault(client, {})[number] = (number, slot.size)
        for (client, number), package in self._packages.items():
            here.setdefault(client, {})[number] = package
        turns = {client: iter(self._by_turn(client, own)) for client, own in here.items()}
        return [(client, next(turns.get(client, iter(())), None)) for client in self._order]

    def _size_at(self, key: tuple[int, int]) -> int:
        package, slot = self._packages.get(key), self._reserved.get(key)
        return max(package.content.size if package else 0, slot.size if slot else 0)

    def _by_turn(
        self, client: int, own: dict[int, Package | tuple[int, int]]
    ) -> list[Package | tuple[int, int] | None]:
        """What is in this client's places, or on its way there, from its first place on."""
        numbers = sorted(own)
        if numbers[-1] >= self._places[client]:
            return [own[number] for number in numbers]
        return [own.get(turn) for turn in range(self._places[client])]

    def close(self) -> None:
        """Forget everything."""
        for package in self._packages.values():
            package.content.close()
        self._packages.clear()
        self._reserved.clear()

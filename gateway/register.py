"""Who may pass, in memory: what the doorkeeper asks, so that a door never waits for the disk.

A `Register` is never changed; the roster makes a new one and the doorkeeper is handed that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from gateway.credentials import Credential
from gateway.types import Holder

_Entry = tuple[Credential, Holder]


class Register:
    """Holders by what they present. Number-family cards are found by their last three bytes, then compared in full."""

    def __init__(
        self,
        holders: Iterable[Holder],
        cards: Iterable[tuple[Credential, str]],
        plates: Iterable[tuple[str, str]],
        as_of: date | None = None,
    ) -> None:
        """`cards` and `plates` name their holder by `Holder.id`; plates are cleaned (`gateway.plate_rules.clean`).

        `as_of` is the day of the roster's last change.
        """
        self.as_of = as_of
        by_id = {holder.id: holder for holder in holders}
        self._by_ref = {holder.ref: holder for holder in by_id.values()}
        self._by_tail: dict[bytes, list[_Entry]] = {}
        self._by_whole: dict[Credential, list[Holder]] = {}
        self._by_plate: dict[str, list[Holder]] = {}
        for card, holder_id in cards:
            if card.tail is None:
                self._by_whole.setdefault(card, []).append(by_id[holder_id])
            else:
                self._by_tail.setdefault(card.tail, []).append((card, by_id[holder_id]))
        for number, holder_id in plates:
            self._by_plate.setdefault(number, []).append(by_id[holder_id])

    def __len__(self) -> int:
        """How many holders."""
        return len(self._by_ref)

    def by_credential(self, presented: Credential) -> list[Holder]:
        """Holders of a card that `matches` the presented one, most exact first, each once."""
        if presented.tail is None:
            return _each_once(self._by_whole.get(presented, ()))
        found = [entry for entry in self._by_tail.get(presented.tail, ()) if presented.matches(entry[0])]
        found.sort(key=lambda entry: _exactness(presented, entry[0]), reverse=True)
        return _each_once(holder for _, holder in found)

    def by_plate(self, number: str) -> list[Holder]:
        """Holders of a cleaned plate number; a household's car may have several."""
        return _each_once(self._by_plate.get(number, ()))

    def by_ref(self, ref: str) -> Holder | None:
        """The holder whose keyed hash this is."""
        return self._by_ref.get(ref)


def _exactness(presented: Credential, known: Credential) -> tuple[int, bool, bool]:
    shared = min(len(presented.value), len(known.value))
    return shared, presented.value == known.value, presented.format == known.format


def _each_once(holders: Iterable[Holder]) -> list[Holder]:
    return list({holder.id: holder for holder in holders}.values())

"""A preview in one line, and in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from banksman._effect import Effect
from banksman.cli.render.text import visible
from banksman.preview import Item, Preview


@dataclass(frozen=True)
class Summary:
    """What a preview comes to.

    Attributes:
        counts: how many writes `create`, `change`, `delete`, `send`, and how many find all `as it should be`.
        sent: what is sent, where all of it is of one kind.
        records: how many records are touched.
        systems: the connections, in the order in which the plan comes to them.
        irreversible: how many writes cannot be undone.
        compensated: how many can be undone only in part.
        unguarded: how many changes the system itself would not refuse if somebody else changed the record meanwhile.
        costs: what systems charge, by currency.
    """

    counts: Counter[str]
    sent: str
    records: int
    systems: tuple[str, ...]
    irreversible: int
    compensated: int
    unguarded: int
    costs: dict[str, Decimal]

    def document(self) -> dict[str, Any]:
        """The numbers for `--json`."""
        return {
            **{verb: self.counts[verb] for verb in ("create", "change", "delete", "send")},
            "records": self.records,
            "systems": list(self.systems),
            "cannot_be_undone": self.irreversible,
            "undone_in_part": self.compensated,
            "unguarded": self.unguarded,
            "costs": {currency: str(amount) for currency, amount in self.costs.items()},
        }

    def line(self) -> str:
        """`Plan: 2 to create, 3 to change, 1 message to send; 2 systems; 1 cannot be undone`."""
        if not self.counts:
            return "Plan: nothing to change"
        doing = [f"{self.counts[verb]:,} to {verb}" for verb in ("create", "change", "delete") if self.counts[verb]]
        if sent := self.counts["send"]:
            doing.append(f"{sent:,} {_plural(self.sent, sent)}to send")
        if settled := self.counts["settled"]:
            doing.append(f"{settled:,} already as wanted")
        parts = [", ".join(doing)]
        if self.records > sum(self.counts.values()):
            parts.append(f"{self.records:,} records")
        parts.append(f"{len(self.systems)} system{'' if len(self.systems) == 1 else 's'}")
        parts += [f"costs {amount} {visible(currency)}" for currency, amount in self.costs.items()]
        if self.irreversible:
            parts.append(f"{self.irreversible:,} cannot be undone")
        if self.compensated:
            parts.append(f"{self.compensated:,} can be undone only in part")
        return f"Plan: {'; '.join(parts)}"


def _plural(word: str, count: int) -> str:
    if not word:
        return ""
    return f"{word} " if count == 1 else f"{word}s "


def verb_of(item: Item) -> str:
    """`create`, `change`, `delete`, `send`; `settled` where nothing would be sent."""
    if not item.requests:
        return "settled"
    if item.effect is Effect.SEND and item.before is None:
        return "send"
    return "create" if item.before is None else "delete" if item.after is None else "change"


def summarise(items: Iterable[Item]) -> Summary:
    """The numbers of some writes."""
    items = list(items)
    kinds = {item.entity for item in items if verb_of(item) == "send"}
    costs: dict[str, Decimal] = {}
    for item in items:
        if item.costs is not None:
            costs[item.costs.currency] = costs.get(item.costs.currency, Decimal(0)) + item.costs.amount
    return Summary(
        counts=Counter(verb_of(item) for item in items),
        sent=visible(kinds.pop()).lower() if len(kinds) == 1 else "",
        records=sum(item.reach for item in items),
        systems=tuple(dict.fromkeys(item.connection for item in items)),
        irreversible=sum(is_irreversible(item) for item in items),
        compensated=sum(item.undo["kind"] == "compensation" for item in items if item.requests),
        unguarded=sum(is_unguarded(item) for item in items),
        costs=costs,
    )


def summary_of(preview: Preview) -> Summary:
    """The numbers of a preview, without what happens only if something fails."""
    return summarise(preview.items.values())


def is_irreversible(item: Item) -> bool:
    """Whether it cannot be taken back at all."""
    return bool(item.requests) and item.undo["kind"] == "irreversible"


def is_unguarded(item: Item) -> bool:
    """Whether a change by somebody else between the last look and the write would be written over."""
    return bool(item.requests) and not item.guarded and item.before is not None


def is_grave(item: Item) -> bool:
    """Whether a person should look at it first: it reaches others, costs something, or cannot be taken back."""
    return is_irreversible(item) or bool(item.tells) or item.costs is not None or item.effect is not Effect.WRITE

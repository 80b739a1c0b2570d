"""What a model may plan with, and which part of it fits into a prompt.

The ranking counts words that a goal and an action share. It is a stand-in: a search over the whole catalog is to take
its place, behind the same `shortlist`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from banksman._action import Action
from banksman.planner._lean import signature

#: No signature is shorter: tokens.
_SMALLEST = 12


@dataclass(frozen=True)
class Offer:
    """One connection and what can be done on it.

    Attributes:
        connection: its configured name, `sap:s4-prod`.
        environment: production, sandbox or test.
        actions: by full name.
    """

    connection: str
    environment: str
    actions: Mapping[str, Action[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """Everything that is on offer."""

    offers: Sequence[Offer]

    @cached_property
    def actions(self) -> dict[str, Action[Any, Any]]:
        """Every action once, in the order of the connections."""
        return {name: action for offer in reversed(self.offers) for name, action in offer.actions.items()}

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = {}
        for offer in self.offers:
            for name in offer.actions:
                holders.setdefault(name, []).append(offer.connection)
        return holders

    @cached_property
    def _accounts(self) -> Mapping[str, int]:
        return Counter(offer.connection.split(":", 1)[0] for offer in self.offers if offer.actions)

    @cached_property
    def _lines(self) -> dict[str, str]:
        return {}

    def line(self, name: str) -> str:
        """An action's signature. Made when it is asked for: a schema costs milliseconds, and there may be thousands."""
        if name not in self._lines:
            # Two accounts of one system may offer different things: what describes itself says what it has.
            on = self._holders[name]
            everywhere = len(on) == self._accounts[on[0].split(":", 1)[0]]
            where = "" if everywhere else f" (only on {', '.join(on[:5])})"
            self._lines[name] = signature(self.actions[name]) + where
        return self._lines[name]

    def shortlist(self, goal: str, budget: int) -> list[str]:
        """The actions that a goal is likely to need, within `budget` tokens, in the order of the catalogue.

        All of them where they fit. Otherwise those that share words with the goal, best first, each write together
        with the reads of the same kind of record: ids come from reads.
        """
        if self._fits(budget):
            return list(self.actions)
        scores = self._scores(goal)
        ranked = sorted((name for name in self.actions if scores[name] > 0), key=lambda name: -scores[name])
        chosen: set[str] = set()
        left = budget
        for name in ranked or list(self.actions):
            for one in (name, *self._reads_beside(name, scores)):
                if one not in chosen and self._cost(one) <= left:
                    chosen.add(one)
                    left -= self._cost(one)
            if left < _SMALLEST:
                break
        return [name for name in self.actions if name in chosen]

    def _cost(self, name: str) -> int:
        return tokens(self.line(name)) + 1

    def _fits(self, budget: int) -> bool:
        if len(self.actions) * _SMALLEST > budget:
            return False
        left = budget
        for name in self.actions:
            left -= self._cost(name)
            if left < 0:
                return False
        return True

    def named_in(self, text: str) -> list[str]:
        """The actions whose full names stand in a text, such as a list of problems that names the near ones."""
        words = set(re.findall(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)+", text))
        return [name for name in self.actions if name in words]

    def _reads_beside(self, name: str, scores: Mapping[str, float]) -> list[str]:
        action = self.actions[name]
        if not action.effect.changes:
            return []
        beside = [
            other
            for other, read in self.actions.items()
            if not read.effect.changes and read.connector == action.connector and _akin(read, action)
        ]
        return sorted(beside, key=lambda other: -scores[other])[:3]

    @cached_property
    def _words(self) -> dict[str, dict[str, float]]:
        return {name: _weighted(action) for name, action in self.actions.items()}

    def _scores(self, goal: str) -> dict[str, float]:
        seen = Counter(word for words in self._words.values() for word in words)
        wanted = {word: math.log(1 + len(self._words) / seen[word]) for word in set(stems(goal)) if word in seen}
        return {
            name: sum(weight * words[word] for word, weight in wanted.items() if word in words)
            for name, words in self._words.items()
        }


def _akin(read: Action[Any, Any], write: Action[Any, Any]) -> bool:
    """Whether a read is about the same kind of record: as both say, or by the object in their names."""
    if read.entity and write.entity:
        return read.entity == write.entity
    return read.name.rpartition(".")[0] == write.name.rpartition(".")[0]


def _weighted(action: Action[Any, Any]) -> dict[str, float]:
    texts: list[tuple[float, Iterable[str]]] = [
        (3.0, stems(action.full_name)),
        (3.0, stems(action.entity or "")),
        (2.0, stems(action.capability or "")),
        (1.0, stems(action.description)),
        (0.5, [stem for name in action.input.names for stem in stems(name)]),
    ]
    found: dict[str, float] = {}
    for weight, words in texts:
        for word in words:
            found[word] = max(weight, found.get(word, 0.0))
    return found


_COMMON = re.compile(
    r"a|all|an|and|any|are|as|at|be|by|do|each|every|for|from|get|have|if|in|into|is|it|its|last|list|me|my|new|next"
    r"|not|of|on|one|or|our|set|so|tell|than|that|the|their|them|then|there|they|this|to|use|we|when|which|who|will"
    r"|with|you"
)
_SUFFIXES = ("ing", "ied", "ies", "ed", "es", "s", "e", "y")


def stems(text: str) -> list[str]:
    """The words of a text or an identifier without their endings and without the most common ones."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    found: list[str] = []
    for word in re.findall(r"[^\W_]+", apart.lower()):
        if not _COMMON.fullmatch(word):
            ending = next((end for end in _SUFFIXES if word.endswith(end) and len(word) - len(end) >= 3), "")
            found.append(word.removesuffix(ending) if ending else word)
    return found


def tokens(text: str) -> int:
    """About how many tokens a text is, rather too many than too few; no tokenizer is the same as the next."""
    plain = sum(char.isascii() for char in text)
    return math.ceil(plain / 3) + len(text) - plain

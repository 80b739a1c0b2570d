"""Finding actions by what a request says."""

from __future__ import annotations

import heapq
import math
import sqlite3
from array import array
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from banksman.catalog.search import _rank
from banksman.catalog.search._build import VERSION
from banksman.catalog.search._document import Hit
from banksman.catalog.search._lexicon import Concept, Lexicon
from banksman.catalog.search._request import Part, parts, whole
from banksman.errors import ConfigError

#: So many of the best are looked at closely: of each part, of all parts, of the request as a whole.
_OF_PART: Final = 40
_OF_PARTS: Final = 150
#: So many of each part can be among the best of the whole.
_MERGED: Final = 300
_OF_WHOLE: Final = 100
#: Actions that hold less than this share of a part's weightier words are not looked at for the rest.
_ESSENTIAL: Final = 0.8
_REASONS: Final = 4


class Search:
    """The index of one catalog file, open for reading. Any number of processes may hold one.

    A `Search` belongs to the thread that opened it.

    Args:
        path: a SQLite file in which `build` has written.

    Raises:
        ConfigError: there is no such file, no index in it, or one of another version.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        try:
            # `quote`, because a question mark in a file's name would begin the options.
            self._connection = sqlite3.connect(f"file:{quote(str(self._path.absolute()))}?mode=ro", uri=True)
            facts = dict(self._connection.execute("SELECT key, value FROM search_meta"))
        except sqlite3.Error as error:
            raise ConfigError(
                f"{self._path} cannot be searched: {error}", hint="Build the catalog: banksman catalog add SOURCE."
            ) from error
        if facts.get("version") != VERSION:
            self._connection.close()
            raise ConfigError(
                f"{self._path} has a search index of version {facts.get('version')}, this is version {VERSION}",
                hint="Build the catalog again.",
            )
        self._total = int(facts["total"])
        self._systems = _codes(facts, "systems")
        self._effects = _codes(facts, "effects")
        self._capabilities = _codes(facts, "capabilities")
        self._system_of = self._systems[1]
        self._no_system = self._systems[0].get("", -1)
        self._masses = _floats(facts["masses"])
        self._name_lengths = _shorts(facts["name_lengths"])
        self._lexicon = Lexicon(self._connection, self._total, int(facts["systems_total"]))

    def __len__(self) -> int:
        return self._total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def find(
        self,
        request: str,
        limit: int = 10,
        *,
        systems: Collection[str] | None = None,
        effects: Collection[str] | None = None,
        capabilities: Collection[str] | None = None,
    ) -> list[Hit]:
        """The actions that serve a request, the best first.

        Args:
            request: any text; a wish in words, an identifier, several wishes in a row. It has no syntax.
            limit: at most so many.
            systems, effects, capabilities: only actions of these; None for all, an empty collection for none.
        """
        asked = parts(request)
        everything = whole(asked)
        joined = frozenset[str]().union(*(part.joined for part in asked))
        concepts = self._lexicon.concepts(everything, joined)
        asked = [part for part in asked if any(word in concepts for word in part.words)]
        allowed = self._allowed(systems, effects, capabilities)
        if not asked or limit < 1 or (allowed is not None and not any(allowed)):
            return []
        # A filter can shut out all of a frequent word's short list, so then the whole list is walked.
        gains = {word: concept.gains(full=allowed is not None) for word, concept in concepts.items()}
        if allowed is not None:
            gains = {word: {one: gain for one, gain in found.items() if allowed[one]} for word, found in gains.items()}
        looked_at = _candidates(asked, concepts, gains, limit)
        evidence = self._evidence(looked_at, asked, everything, concepts, gains)
        best = heapq.nsmallest(limit, evidence, key=lambda one: (-one.score, one.action))
        reasons = _reasons([one.action for one in best], everything, concepts, gains)
        return [Hit(self._id(one.action), round(one.score, 4), why) for one, why in zip(best, reasons, strict=True)]

    def _id(self, action: int) -> str:
        row = self._connection.execute("SELECT id FROM search_actions WHERE number = ?", (action,)).fetchone()
        return str(row[0])

    def _allowed(
        self,
        systems: Collection[str] | None,
        effects: Collection[str] | None,
        capabilities: Collection[str] | None,
    ) -> bytes | None:
        """One byte for each action, or None where all are allowed."""
        mask: bytes | None = None
        filters = ((self._systems, systems), (self._effects, effects), (self._capabilities, capabilities))
        for (known, of), wanted in filters:
            if wanted is None:
                continue
            yes = bytearray(len(known))
            for name in wanted:
                if name in known:
                    yes[known[name]] = 1
            one = bytes(map(yes.__getitem__, of))
            mask = one if mask is None else bytes(map(min, mask, one))
        return mask

    def _evidence(
        self,
        actions: list[int],
        asked: list[Part],
        everything: dict[str, float],
        concepts: dict[str, Concept],
        known: dict[str, dict[int, float]],
    ) -> list[_rank.Ranked]:
        places = {word: place for place, word in enumerate(concepts)}
        of_part = [[(places[word], weight) for word, weight in part.words.items() if word in places] for part in asked]
        of_whole = [(place, everything[word]) for word, place in places.items()]
        among = frozenset(actions)
        gains = [concept.at(actions, known[word]) for word, concept in concepts.items()]
        names = [concept.named(among) for concept in concepts.values()]
        in_parts = [_sum(gains, part, len(actions)) for part in of_part]
        in_names = _most_named(names, of_part)
        fits = self._fits(everything, concepts)
        seen = [
            _rank.Seen(
                action=action,
                system=-1 if (system := self._system_of[action]) == self._no_system else system,
                whole=in_whole,
                parts=list(by_part),
                named=min(1.0, in_names.get(action, 0.0) / (self._masses[action] + 0.5)),
                length=math.log1p(self._name_lengths[action]),
                fit=fits.get(system, 0.0),
            )
            for action, in_whole, by_part in zip(
                actions, _sum(gains, of_whole, len(actions)), zip(*in_parts, strict=True), strict=True
            )
        ]
        rarities = [concept.rarity for concept in concepts.values()]
        most = sum(rarities[place] * weight for place, weight in of_whole) + 1
        most_of_parts = [sum(rarities[place] * weight for place, weight in part) + 1 for part in of_part]
        return _rank.rank(seen, [part.weight for part in asked], most, most_of_parts)

    def _fits(self, everything: dict[str, float], concepts: dict[str, Concept]) -> dict[int, float]:
        """How well each system as a whole serves the request; the best one 1."""
        fits: dict[int, float] = {}
        for word, concept in concepts.items():
            weight = everything[word]
            for system, gain in concept.systems().items():
                fits[system] = fits.get(system, 0.0) + weight * gain
        fits.pop(self._no_system, None)
        top = max(fits.values(), default=1.0)
        return {system: gain / top for system, gain in fits.items()}


def _candidates(
    asked: list[Part], concepts: dict[str, Concept], gains: dict[str, dict[int, float]], limit: int
) -> list[int]:
    """The actions that are looked at closely."""
    totals = [_totals(part.words, concepts, gains) for part in asked]
    if len(totals) == 1:
        return _best(totals[0], max(_OF_WHOLE, 3 * limit))
    each = max(limit, min(_OF_PART, _OF_PARTS // len(totals)))
    chosen: dict[int, None] = {}
    together: dict[int, float] = {}
    for part, total in zip(asked, totals, strict=True):
        best = _best(total, _MERGED)
        chosen.update(dict.fromkeys(best[:each]))
        for action in best:
            together[action] = together.get(action, 0.0) + part.weight * total[action]
    chosen.update(dict.fromkeys(_best(together, max(_OF_WHOLE, 3 * limit))))
    return list(chosen)


def _totals(
    words: dict[str, float], concepts: dict[str, Concept], gains: dict[str, dict[int, float]]
) -> dict[int, float]:
    """What the words of one part give together, to the actions that its weightier words speak for."""
    weights = {word: weight * concepts[word].rarity for word, weight in words.items() if word in concepts}
    weightiest = sorted(weights, key=lambda word: (-weights[word], word))
    essential = _ESSENTIAL * sum(weights.values())
    total: dict[int, float] = {}
    for word in weightiest:
        weight, found = words[word], gains[word]
        if essential > 0 or not total:
            if not total:
                total = {action: weight * gain for action, gain in found.items()}
            else:
                get = total.get
                for action, gain in found.items():
                    total[action] = get(action, 0.0) + weight * gain
        else:
            # The rest can lift what is there; alone it lifts nothing to the top.
            for action in total.keys() & found.keys():
                total[action] += weight * found[action]
        essential -= weights[word]
    return total


def _best(total: dict[int, float], most: int) -> list[int]:
    if len(total) > most:
        bar = sorted(total.values(), reverse=True)[most - 1]
        total = {action: gain for action, gain in total.items() if gain >= bar}
    return sorted(total, key=lambda action: (-total[action], action))[:most]


def _sum(gains: list[list[float]], words: list[tuple[int, float]], length: int) -> list[float]:
    """By action, the weighted gains of some words."""
    total = [0.0] * length
    for place, weight in words:
        total = [held + weight * gain for held, gain in zip(total, gains[place], strict=True)]
    return total


def _most_named(names: list[dict[int, float]], of_part: list[list[tuple[int, float]]]) -> dict[int, float]:
    """By action, what one part at most says of its name."""
    most: dict[int, float] = {}
    for part in of_part:
        said: dict[int, float] = {}
        for place, weight in part:
            for action, worth in names[place].items():
                said[action] = said.get(action, 0.0) + weight * worth
        for action, worth in said.items():
            most[action] = max(most.get(action, 0.0), worth)
    return most


def _reasons(
    actions: list[int], everything: dict[str, float], concepts: dict[str, Concept], gains: dict[str, dict[int, float]]
) -> list[tuple[str, ...]]:
    """By action, the words that speak for it."""
    speaking: list[list[tuple[float, str]]] = [[] for _ in actions]
    for word, concept in concepts.items():
        for one, gain in zip(speaking, concept.at(actions, gains[word]), strict=True):
            if gain > 0:
                one.append((-gain * everything[word], word))
    return [tuple(word for _, word in sorted(one)[:_REASONS]) for one in speaking]


def _codes(facts: dict[str, str | bytes], of: str) -> tuple[dict[str, int], array[int]]:
    names = str(facts[f"names_of_{of}"]).split("\n")
    return {name: number for number, name in enumerate(names)}, _shorts(facts[of])


def _shorts(blob: str | bytes) -> array[int]:
    return _array("H", blob)


def _floats(blob: str | bytes) -> array[float]:
    numbers = array("f")
    numbers.frombytes(blob if isinstance(blob, bytes) else blob.encode())
    return numbers


def _array(kind: str, blob: str | bytes) -> array[int]:
    numbers: array[int] = array(kind)
    numbers.frombytes(blob if isinstance(blob, bytes) else blob.encode())
    return numbers

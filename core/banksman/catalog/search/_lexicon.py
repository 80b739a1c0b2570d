"""The words of one index: their postings, and the words that stand in for them."""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from banksman.catalog.search import _thesaurus
from banksman.catalog.search._build import STEPS, rarity
from banksman.catalog.search._text import deletions, one_typo_apart, root

_SAME_ROOT: Final = 0.8
_SYNONYM: Final = 0.5
_TYPO: Final = 0.7
#: So many words of one root, or a typo away, stand in for one.
_MOST_FORMS: Final = 5
_MOST_SYNONYMS: Final = 8
#: Words of a request that weigh less have no stand-ins by meaning.
_WORTH_SYNONYMS: Final = 0.25
#: Longer postings are searched by bisection, shorter ones are walked.
_SMALL: Final = 1_000


_Row = tuple[str, int, int, bytes, bytes, bytes, bytes | None, bytes, bytes, bytes]


@dataclass(slots=True)
class Posting:
    """Which actions hold a word, and how much they are about it.

    Attributes:
        weight: what one full degree of this word gives.
        actions, degrees: ascending numbers, and one byte each, see `_build`.
        names: the actions whose name holds the word.
        short, short_degrees: those that are most about a frequent word; the full lists where it is not frequent.
        system_weight, systems, systems_degrees: the same of systems.
    """

    weight: float
    actions: array[int]
    degrees: bytes
    names: array[int]
    short: array[int]
    short_degrees: bytes
    system_weight: float
    systems: array[int]
    systems_degrees: bytes

    def at(self, actions: list[int]) -> list[float]:
        """What the word gives to some actions, 0 where one does not hold it."""
        table, end = self.gains, len(self.actions)
        places = [bisect_left(self.actions, action) for action in actions]
        return [
            table[self.degrees[place]] if place < end and self.actions[place] == action else 0.0
            for place, action in zip(places, actions, strict=True)
        ]

    @property
    def gains(self) -> list[float]:
        """What each degree gives."""
        scale = self.weight / STEPS
        return [scale * step for step in range(STEPS + 1)]

    @property
    def frequent(self) -> bool:
        """Whether the short lists leave something out."""
        return self.short is not self.actions

    def named(self, actions: frozenset[int]) -> Iterable[int]:
        """Those of some actions whose name holds the word."""
        if len(self.names) < _SMALL:
            return actions.intersection(self.names)
        names, end = self.names, len(self.names)
        places = ((bisect_left(names, action), action) for action in actions)
        return [action for place, action in places if place < end and names[place] == action]


@dataclass(slots=True)
class Concept:
    """A word of a request with all that may stand in for it; the best of them counts, never their sum.

    Attributes:
        rarity: what it weighs. A rarer stand-in weighs no more.
        postings: of the word, of its forms, then of its synonyms.
        forms: how many of the postings are no synonyms.
    """

    rarity: float
    postings: list[Posting]
    forms: int

    def gains(self, *, full: bool = False) -> dict[int, float]:
        """What the word gives to the actions; of frequent words only those that are most about it, unless `full`."""
        best: dict[int, float] = {}
        for posting in self.postings:
            table = posting.gains
            actions = posting.actions if full else posting.short
            degrees = posting.degrees if full else posting.short_degrees
            if not best:
                best = dict(zip(actions, map(table.__getitem__, degrees), strict=True))
                continue
            get = best.get
            for action, degree in zip(actions, degrees, strict=True):
                gain = table[degree]
                if gain > get(action, 0.0):
                    best[action] = gain
        return best

    def at(self, actions: list[int], known: Mapping[int, float]) -> list[float]:
        """What the word gives to some actions.

        Args:
            actions: their numbers.
            known: what `gains` said; what a short list left out is looked up.
        """
        gains = [known.get(action, 0.0) for action in actions]
        for posting in self.postings:
            if posting.frequent:
                gains = list(map(max, gains, posting.at(actions)))
        return gains

    def named(self, actions: frozenset[int]) -> dict[int, float]:
        """What the word is worth to the names of some actions, where they hold it."""
        worth: dict[int, float] = {}
        for posting in self.postings:
            for action in posting.named(actions):
                if posting.weight > worth.get(action, 0.0):
                    worth[action] = posting.weight
        return worth

    def systems(self) -> dict[int, float]:
        """What the word gives to the systems that are most about it."""
        best: dict[int, float] = {}
        for posting in self.postings[: self.forms]:
            scale, get = posting.system_weight / STEPS, best.get
            for system, degree in zip(posting.systems, posting.systems_degrees, strict=True):
                if (gain := scale * degree) > get(system, 0.0):
                    best[system] = gain
        return best


class Lexicon:
    """Reads the words of an index, with four queries in a search, however many words it has."""

    def __init__(self, connection: sqlite3.Connection, total: int, systems_total: int) -> None:
        self._connection = connection
        self._total = total
        self._systems_total = systems_total

    def concepts(self, words: Mapping[str, float], exactly: Collection[str] = ()) -> dict[str, Concept]:
        """The concept of each word that the index knows, in its own or another form.

        Args:
            words: with what they weigh in the request.
            exactly: those of them that nothing stands in for.
        """
        roots = {word: root(word) for word in words if word not in exactly}
        same: dict[str, list[tuple[str, int]]] = {}
        rows = self._ask("root, word, frequency", "root", set(roots.values()), order="frequency DESC, word")
        for key, word, frequency in rows:
            same.setdefault(key, []).append((word, frequency))
        near = {
            word: sorted(_thesaurus.near(word))[:_MOST_SYNONYMS]
            for word, weight in words.items()
            if weight >= _WORTH_SYNONYMS and word in roots
        }
        rows = self._ask("word, frequency", "word", {*exactly, *(one for group in near.values() for one in group)})
        known = dict(rows)
        chosen: dict[str, tuple[dict[str, float], dict[str, float], int]] = {}
        for word in words:
            if word not in roots:
                if word in known:
                    chosen[word] = ({word: 1.0}, {}, known[word])
                continue
            forms, frequency = _forms(word, same.get(roots[word], []))
            synonyms = {one: _SYNONYM for one in near.get(word, ()) if one in known and one not in forms}
            if not forms and not synonyms:
                forms, frequency = self._mistyped(word)
            if forms or synonyms:
                chosen[word] = (forms, synonyms, frequency)
        return self._read(chosen)

    def _read(self, chosen: dict[str, tuple[dict[str, float], dict[str, float], int]]) -> dict[str, Concept]:
        columns = (
            "word, frequency, systems_frequency, actions, degrees, names, short, short_degrees,"
            " systems, systems_degrees"
        )
        wanted = {form for forms, synonyms, _ in chosen.values() for form in (*forms, *synonyms)}
        rows = {row[0]: row for row in self._ask(columns, "word", wanted)}
        found: dict[str, Concept] = {}
        for word, (forms, synonyms, frequency) in chosen.items():
            frequency = frequency or max(rows[form][1] for form in synonyms)
            weight = rarity(frequency, self._total)
            stand_ins = [*forms.items(), *synonyms.items()]
            postings = [self._posting(rows[form], weight, discount) for form, discount in stand_ins]
            found[word] = Concept(weight, postings, len(forms))
        return found

    def _posting(self, row: _Row, weight: float, discount: float) -> Posting:
        _, frequency, in_systems, actions, degrees, names, short, short_degrees, systems, systems_degrees = row
        own = rarity(frequency, self._total)
        share = discount * min(1.0, weight / own)
        full = _numbers("I", actions)
        return Posting(
            weight=share * own,
            actions=full,
            degrees=degrees,
            names=_numbers("I", names),
            short=full if short is None else _numbers("I", short),
            short_degrees=degrees if short is None else short_degrees,
            system_weight=share * rarity(in_systems, self._systems_total),
            systems=_numbers("H", systems),
            systems_degrees=systems_degrees,
        )

    def _mistyped(self, word: str) -> tuple[dict[str, float], int]:
        if not (4 <= len(word) <= 17 and word.isalpha()):
            return {}, 0
        remainders = sorted(deletions(word))
        marks = ", ".join("?" * len(remainders))
        # Only question marks are put into the text.
        query = (
            "SELECT DISTINCT w.word, w.frequency FROM search_typos t JOIN search_words w ON w.number = t.word"  # noqa: S608
            f" WHERE t.remainder IN ({marks}) ORDER BY w.frequency DESC, w.word"
        )
        rows = self._connection.execute(query, remainders)
        near = [(form, frequency) for form, frequency in rows if one_typo_apart(word, form)][:_MOST_FORMS]
        return {form: _TYPO for form, _ in near}, max((frequency for _, frequency in near), default=0)

    def _ask(self, columns: str, by: str, values: Iterable[str], order: str = "word") -> sqlite3.Cursor:
        bound = sorted(values)
        marks = ", ".join("?" * len(bound))
        # Columns are named in this file, values are bound.
        return self._connection.execute(
            f"SELECT {columns} FROM search_words WHERE {by} IN ({marks}) ORDER BY {order}",  # noqa: S608
            bound,
        )


def _forms(word: str, same: list[tuple[str, int]]) -> tuple[dict[str, float], int]:
    """The forms of a word that the index knows with what they count, and how frequent it is."""
    frequencies = dict(same)
    forms = {word: 1.0} if word in frequencies else {}
    for form in list(frequencies)[:_MOST_FORMS]:
        forms.setdefault(form, _SAME_ROOT)
    return forms, frequencies.get(word, max(frequencies.values(), default=0))


def _numbers(kind: str, blob: bytes) -> array[int]:
    numbers: array[int] = array(kind)
    numbers.frombytes(blob)
    return numbers

"""The index: an inverted file in tables of the catalog's own SQLite file.

Every word has one row: the numbers of the actions that hold it, ascending; beside them one byte each, how much the
action is about the word (BM25 over weighted fields); and the numbers of those whose name holds it. Frequent words carry
the short list of those that are most about them as well, so that no search walks a long one.
"""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from banksman.catalog.search._document import SearchDocument
from banksman.catalog.search._text import deletions, root, tokens

#: Written into the file; a reader of another version refuses it.
VERSION: Final = "1"

#: What a word weighs by where it stands: in the name, the system's title, the description, the names of arguments.
WEIGHTS: Final = (3.0, 2.0, 1.0, 0.5)
#: BM25: how fast a repeated word saturates, and how much a long text is held against it.
SATURATION: Final = 1.2
LENGTH: Final = 0.75
#: The same for systems, whose text is that of all their actions.
SYSTEM_SATURATION: Final = 3.0
SYSTEM_LENGTH: Final = 0.5

#: A longer description says nothing new about what an action is for.
LONGEST_TEXT: Final = 300
#: Words of more actions than `FREQUENT` carry their `SHORTLIST`.
FREQUENT: Final = 1_500
SHORTLIST: Final = 600
SYSTEM_SHORTLIST: Final = 150

#: A degree is how much an action is about a word, in so many steps.
STEPS: Final = 255

TABLES: Final = """
DROP TABLE IF EXISTS search_meta;
DROP TABLE IF EXISTS search_words;
DROP TABLE IF EXISTS search_typos;
DROP TABLE IF EXISTS search_actions;
CREATE TABLE search_meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE search_words (
  number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE, root TEXT NOT NULL,
  frequency INTEGER NOT NULL, systems_frequency INTEGER NOT NULL,
  actions BLOB NOT NULL, degrees BLOB NOT NULL, names BLOB NOT NULL, short BLOB, short_degrees BLOB,
  systems BLOB NOT NULL, systems_degrees BLOB NOT NULL);
CREATE INDEX search_roots ON search_words (root, word, frequency);
CREATE TABLE search_typos (remainder TEXT NOT NULL, word INTEGER NOT NULL, PRIMARY KEY (remainder, word)) WITHOUT ROWID;
CREATE TABLE search_actions (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
"""


@dataclass(slots=True)
class _Words:
    """What is gathered while documents stream by; numbers, not objects, so that 170,000 fit easily."""

    actions: dict[str, array[int]] = field(default_factory=dict)
    counts: dict[str, array[int]] = field(default_factory=dict)
    lengths: tuple[array[int], ...] = field(default_factory=lambda: tuple(array("H") for _ in WEIGHTS))

    def add(self, number: int, fields: tuple[list[str], ...]) -> None:
        packed: dict[str, int] = {}
        for place, texts in enumerate(fields):
            self.lengths[place].append(min(len(texts), 0xFFFF))
            for word in texts:
                held = packed.get(word, 0)
                if (held >> 4 * place) & 15 < 15:
                    packed[word] = held + (1 << 4 * place)
        for word, count in packed.items():
            if word not in self.actions:
                self.actions[word], self.counts[word] = array("I"), array("H")
            self.actions[word].append(number)
            self.counts[word].append(count)


@dataclass(slots=True)
class _Codes:
    """Short texts that repeat, as numbers."""

    known: dict[str, int] = field(default_factory=dict)
    of: array[int] = field(default_factory=lambda: array("H"))

    def add(self, text: str) -> None:
        self.of.append(self.known.setdefault(text, len(self.known)))


def build(catalog: sqlite3.Connection | Path | str, documents: Iterable[SearchDocument]) -> int:
    """Write the search index of all actions into a SQLite file, in place of one that is there.

    Args:
        catalog: an open connection, in whose transaction the tables are written (the caller commits), or a file.
        documents: read once; they need not fit in memory.

    Returns:
        How many there were.

    Raises:
        ValueError: two have one id, or there are more than 65,535 systems.
    """
    if isinstance(catalog, sqlite3.Connection):
        return _write(catalog, documents)
    with closing(sqlite3.connect(catalog)) as connection, connection:
        return _write(connection, documents)


def _write(connection: sqlite3.Connection, documents: Iterable[SearchDocument]) -> int:
    for statement in TABLES.split(";"):
        connection.execute(statement)
    words = _Words()
    systems, effects, capabilities = _Codes(), _Codes(), _Codes()
    connection.executemany(
        "INSERT INTO search_actions VALUES (?, ?)",
        _gather(documents, words, systems, effects, capabilities),
    )
    total = len(systems.of)
    masses = array("f", bytes(4 * total))
    about = _SystemWords(systems)
    connection.executemany(
        "INSERT INTO search_words VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(words, total, masses, about)
    )
    connection.executemany("INSERT OR IGNORE INTO search_typos VALUES (?, ?)", _typos(words))
    facts = {"version": VERSION, "total": str(total), "systems_total": str(len(systems.known))}
    facts |= {"names_of_systems": "\n".join(systems.known), "names_of_effects": "\n".join(effects.known)}
    facts |= {"names_of_capabilities": "\n".join(capabilities.known)}
    codes = {"systems": systems.of, "effects": effects.of, "capabilities": capabilities.of}
    blobs = {name: numbers.tobytes() for name, numbers in (codes | {"name_lengths": words.lengths[0]}).items()}
    rows: list[tuple[str, str | bytes]] = [*facts.items(), *blobs.items(), ("masses", masses.tobytes())]
    connection.executemany("INSERT INTO search_meta VALUES (?, ?)", rows)
    return total


def _gather(
    documents: Iterable[SearchDocument], words: _Words, systems: _Codes, effects: _Codes, capabilities: _Codes
) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for number, document in enumerate(documents):
        if document.id in seen:
            raise ValueError(f"two actions have the id {document.id!r}; the catalog needs one of each")
        seen.add(document.id)
        codes = ((systems, document.system), (effects, document.effect), (capabilities, document.capability))
        for table, text in codes:
            table.add(text.replace("\n", " "))
        said = tokens(f"{document.summary} {document.description}"[: 12 * LONGEST_TEXT])[:LONGEST_TEXT]
        named = [word for name, _ in document.arguments for word in tokens(name)][:LONGEST_TEXT]
        about = tokens(document.title or document.system)
        words.add(number, (tokens(document.name)[:60], about[:60], said, named))
        yield number, document.id


def _rows(words: _Words, total: int, masses: array[float], about: _SystemWords) -> Iterator[tuple[object, ...]]:
    # By word, so that the same documents give the same file.
    norms = [_norms(lengths, weight) for lengths, weight in zip(words.lengths, WEIGHTS, strict=True)]
    for word in words.actions:
        about.weigh(word, words)
    for number, word in enumerate(sorted(words.actions)):
        actions, counts = words.actions[word], words.counts[word]
        weight = rarity(len(actions), total)
        degrees = bytearray(len(actions))
        names: array[int] = array("I")
        for place, (action, count) in enumerate(zip(actions, counts, strict=True)):
            frequency = 0.0
            for shift, norm in enumerate(norms):
                if times := (count >> 4 * shift) & 15:
                    frequency += times * norm[action]
            degrees[place] = max(1, round(STEPS * frequency / (SATURATION + frequency)))
            if count & 15:
                masses[action] += weight
                names.append(action)
        short, short_degrees = _shortlist(actions, degrees, FREQUENT, SHORTLIST)
        spread = about.spread.get(word, {})
        in_systems, system_degrees = about.posting(spread)
        texts = (
            number,
            word,
            root(word),
            len(actions),
            len(spread),
            actions.tobytes(),
            bytes(degrees),
            names.tobytes(),
        )
        yield (*texts, short, short_degrees, in_systems, system_degrees)


def _norms(lengths: array[int], weight: float) -> list[float]:
    average = sum(lengths) / len(lengths) if lengths and any(lengths) else 1.0
    return [weight / (1 - LENGTH + LENGTH * length / average) for length in lengths]


def _shortlist(
    numbers: array[int], degrees: bytes | bytearray, frequent: int, most: int
) -> tuple[bytes | None, bytes | None]:
    """Those that are most about a frequent word."""
    if len(numbers) <= frequent:
        return None, None
    order = sorted(range(len(numbers)), key=lambda place: (-degrees[place], place))[:most]
    order.sort()
    return array("I", [numbers[place] for place in order]).tobytes(), bytes(degrees[place] for place in order)


class _SystemWords:
    """How much each system is about each word: the text of a system is that of all its actions."""

    def __init__(self, systems: _Codes) -> None:
        self._of = systems.of
        self._none = systems.known.get("", -1)
        self.spread: dict[str, dict[int, float]] = {}
        self._lengths: dict[int, float] = {}

    def weigh(self, word: str, words: _Words) -> None:
        spread: dict[int, float] = {}
        for action, count in zip(words.actions[word], words.counts[word], strict=True):
            system = self._of[action]
            if system != self._none:
                held = sum(weight for shift, weight in enumerate(WEIGHTS) if (count >> 4 * shift) & 15)
                spread[system] = spread.get(system, 0.0) + held
        for system, held in spread.items():
            self._lengths[system] = self._lengths.get(system, 0.0) + held
        self.spread[word] = spread

    def posting(self, spread: Mapping[int, float]) -> tuple[bytes, bytes]:
        average = sum(self._lengths.values()) / len(self._lengths) if self._lengths else 1.0
        degrees: dict[int, int] = {}
        for system, held in spread.items():
            frequency = held / (1 - SYSTEM_LENGTH + SYSTEM_LENGTH * self._lengths[system] / average)
            degrees[system] = max(1, round(STEPS * frequency / (SYSTEM_SATURATION + frequency)))
        kept = sorted(sorted(degrees, key=lambda system: (-degrees[system], system))[:SYSTEM_SHORTLIST])
        return array("H", kept).tobytes(), bytes(degrees[system] for system in kept)


def _typos(words: _Words) -> Iterator[tuple[str, int]]:
    for number, word in enumerate(sorted(words.actions)):
        if 4 <= len(word) <= 16 and word.isalpha() and len(words.actions[word]) > 2:
            yield from ((remainder, number) for remainder in deletions(word))


def rarity(frequency: int, total: int) -> float:
    """What a word weighs (BM25's inverse document frequency)."""
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))

"""Words that stand in for each other in requests and in names of actions."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from banksman.catalog.search._text import root, stem


@lru_cache(maxsize=1)
def _groups() -> dict[str, frozenset[str]]:
    text = files("banksman.catalog.search").joinpath("thesaurus.txt").read_text(encoding="utf-8")
    near: dict[str, set[str]] = {}
    for line in text.splitlines():
        group = {stem(word) for word in line.split("#")[0].split()}
        for word in group:
            near.setdefault(word, set()).update(group - {word})
    return {word: frozenset(others) for word, others in near.items()}


@lru_cache(maxsize=1)
def _by_root() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for word in _groups():
        found.setdefault(root(word), []).append(word)
    return {key: tuple(words) for key, words in found.items()}


@lru_cache(maxsize=10_000)
def near(word: str) -> frozenset[str]:
    """The stems that mean about the same as a stem, or as a word of its root."""
    return frozenset(other for form in {word, *_by_root().get(root(word), ())} for other in _groups().get(form, ()))

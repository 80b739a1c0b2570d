"""Where an operation says what it does: its verbs with their objects, those said most plainly first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from banksman.catalog import _verbs as lexicon
from banksman.catalog.entry import Entry
from banksman.catalog.naming import words

_SEGMENT = re.compile(r"[./:#\s]+|(?<=[A-Za-z0-9])_(?=[A-Z][a-z])")
_BRACED = re.compile(r"\{[^{}]*\}")
_HTTP = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_TAGS = re.compile(r"<[^<>]{0,200}>")
_KNOWN = lexicon.READ | lexicon.WRITE | lexicon.DESTROY | lexicon.SEND | lexicon.RELATION
_PLAIN = _KNOWN - lexicon.NOUNS
_FIRST_NOUNS = lexicon.NOUNS - lexicon.ORDERS
_ENDING = _PLAIN | {"search", "query", "lookup", "preview"}


@dataclass(frozen=True, slots=True)
class Said:
    """A verb, its object, and where it was found."""

    verb: str
    object: tuple[str, ...]
    place: str
    leads: bool = True

    @property
    def head(self) -> str:
        """The object's noun: the last word before a preposition."""
        return self.object[-1] if self.object else ""


def said_of(entry: Entry, path: str) -> list[Said]:
    """The verbs, those said most plainly first."""
    method, aws = entry.method.lower(), entry.protocol == "aws"
    found: list[Said | None] = []
    last = path.rstrip("/").rpartition("/")[2].partition("?")[0]
    if ":" in last and not last.startswith(":"):
        found.append(_lead(last.rpartition(":")[2], "the path's custom method", method))
    segments = [segment for segment in _SEGMENT.split(entry.operation) if segment]
    if len(segments) > 2 and not re.search(r"[./:#]", entry.operation):
        segments = [entry.operation]  # a sentence of words, not a controller and its action
    for segment in reversed(segments[-2:]):
        before = segments[-2] if len(segments) > 1 else ""
        found.append(_lead(segment, "the operation's id", method, before, aws=aws))
    if last and "{" not in last and entry.protocol != "aws":
        found.append(_last(words(last)))
    found.append(_spoken(entry.summary, "the summary"))
    if not entry.summary or not any(found):
        found.append(_spoken(entry.description, "the description"))
    return [one for one in found if one is not None]


def _lead(text: str, place: str, method: str, before: str = "", *, aws: bool = False) -> Said | None:
    """The verb a name starts with, after words that say nothing; else one that it ends with."""
    said = list(words(text))
    while len(said) > 1 and said[0] in lexicon.PREFIXES:
        said.pop(0)
    if said and said[0] == method and said[0] in _HTTP and said[0] not in ("get", "delete"):
        following = said[1:]
        if following and following[0] in _PLAIN:
            said = following
        elif not following and before and method in ("patch", "put"):
            return Said("update", words(before), place)
        elif len(following) == 0 or method == "post":
            return None
    if not said:
        return None
    if aws and said[0] not in _KNOWN and said[0] != "export":
        return Said("change", _object(said[1:]), place)
    if len(said) == 2 and said[0] in lexicon.READ and said[1] in ("stop", "start"):
        return Said(said[1], (said[0],), place)
    if said[0] in _FIRST_NOUNS and len(said) > 1 and not aws:
        for number, word in reversed(list(enumerate(said))[1:]):
            if word in _PLAIN and (number == len(said) - 1 or said[0] not in lexicon.READ):
                return Said(word, _object(said[number + 1 :]) or tuple(said[:number]), place)
        if said[0] in ("email", "sms", "label"):
            return None
    if said[0] in _KNOWN or said[0] == "export":
        rest = said[1:]
        if rest and rest[0] in ("or", "and") and len(rest) > 1 and rest[1] in _KNOWN:
            worse = rest[1] if rest[1] not in lexicon.READ else said[0]
            return Said(worse if worse not in lexicon.READ else said[0], _object(rest[2:]), place)
        return Said(said[0], _object(rest) or (words(before) if before else ()), place)
    if len(said) > 1 and said[-1] in _ENDING:
        return Said(said[-1], tuple(said[:-1]), place)
    for number, word in enumerate(said):
        if word in _PLAIN:
            return Said(word, _object(said[number + 1 :]), place)
    return None


def _last(said: tuple[str, ...]) -> Said | None:
    """A verb that the path ends with."""
    if len(said) > 1 and said[0] in _FIRST_NOUNS and said[-1] not in _ENDING:
        return None
    if said and said[0] in _KNOWN and said[0] not in _HTTP - {"get", "delete"}:
        return Said(said[0], _object(list(said[1:])), "the path's end", len(said) > 1)
    if len(said) > 1 and said[-1] in ("search", "query", "validate", "preview"):
        return Said(said[-1], said[:-1], "the path's end")
    return None


_OPENING = re.compile(
    r"^(?:this|the|an?|use|used|you|can|api|endpoint|method|operation|call|function|request|allows?|lets?|to|that|"
    r"enables?|will|which|developers?|users?|clients?|we|recommend|action|resource|service|it|is|for|your|one|i|http)\b"
)


def _spoken(text: str, place: str) -> Said | None:
    """The first verb of a sentence, whatever its form: `Deletes`, `Use this method to send`."""
    said = re.findall(r"[a-z]+", _TAGS.sub(" ", text[:300]).lower())[:14]
    opening = True
    for number, word in enumerate(said):
        verb = _infinitive(word)
        if verb in _KNOWN and (opening or verb not in lexicon.NOUNS) and word not in _later(number):
            return Said(verb, _object(said[number + 1 : number + 8]), place, number == 0)
        if not _OPENING.match(word) and word not in lexicon.PREFIXES:
            if number >= 2 or word in ("when", "if", "after", "before", "once"):
                return None
            opening = False
    return None


def commands(text: str) -> bool:
    """Whether a sentence starts as one that tells what is done: `Share a file`, `Stops all`."""
    said = re.findall(r"[a-z]+", text[:80].lower())
    articles = ("a", "an", "the", "all", "this", "your", "one", "any", "every", "multiple", "currently", "specified")
    return len(said) > 1 and (said[1] in articles or (said[0] != _infinitive(said[0]) and said[1] not in ("for", "by")))


def _later(number: int) -> set[str]:
    return {"post", "report", "info", "status", "order", "call"} if number else set()


def _infinitive(word: str) -> str:
    if word in _KNOWN:
        return word
    for ending, instead in (("ies", "y"), ("es", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and (stem := word[: -len(ending)] + instead) in _KNOWN:
            return stem
    return word


def _object(said: list[str]) -> tuple[str, ...]:
    """The words up to a preposition; `from` is kept, for it tells a removal from a deletion."""
    kept: list[str] = []
    for word in said:
        if word in lexicon.PREPOSITIONS and kept:
            return tuple(kept) if word != "from" else ("from", *kept)
        if word not in (
            "a",
            "an",
            "the",
            "one",
            "or",
            "more",
            "new",
            "specific",
            "specified",
            "given",
            "single",
            "all",
        ):
            kept.append(word)
    while len(kept) > 1 and kept[-1] in lexicon.SUFFIXES:
        kept.pop()
    return tuple(kept)


def resource(path: str) -> tuple[str, ...]:
    """The words of the last part of a path that is no argument."""
    for part in reversed(_BRACED.sub("", path.partition("?")[0].partition("#")[0]).strip("/").split("/")):
        found = words(part.partition(":")[0])
        if found:
            return found
    return ()

"""Words of names and sentences: identifiers taken apart, endings cut, requests cleared of their politeness."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
#: `HTTPServer2List` is HTTP, Server, 2, List.
_PIECE: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_A-Za-z]+")
#: Longer words are no words, and would let a hostile description fill the index.
_LONGEST: Final = 40

#: Say nothing about an action, neither in a request nor in a description.
STOP: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "at",
        "for",
        "with",
        "by",
        "from",
        "and",
        "or",
        "nor",
        "but",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "am",
        "do",
        "does",
        "did",
        "done",
        "has",
        "have",
        "had",
        "having",
        "i",
        "me",
        "my",
        "mine",
        "we",
        "us",
        "our",
        "you",
        "your",
        "yours",
        "he",
        "she",
        "it",
        "its",
        "his",
        "her",
        "they",
        "them",
        "their",
        "this",
        "that",
        "these",
        "those",
        "there",
        "here",
        "as",
        "if",
        "then",
        "than",
        "so",
        "such",
        "not",
        "no",
        "can",
        "could",
        "will",
        "would",
        "shall",
        "should",
        "may",
        "might",
        "must",
        "please",
        "help",
        "need",
        "want",
        "like",
        "lets",
        "let",
        "also",
        "just",
        "about",
        "into",
        "over",
        "via",
        "per",
        "any",
        "some",
        "all",
        "each",
        "every",
        "which",
        "who",
        "whom",
        "whose",
        "what",
        "when",
        "where",
        "why",
        "how",
        "using",
        "use",
        "used",
        "s",
        "t",
        "re",
        "ve",
        "ll",
        "d",
        "m",
    ]
)

#: How people wrap a request: they may be a word of a name, so they count a little.
FRAME: Final = frozenset(
    [
        "additionally",
        "afterward",
        "afterwards",
        "assist",
        "assistance",
        "curious",
        "dear",
        "finally",
        "firstly",
        "furthermore",
        "give",
        "guess",
        "hello",
        "hey",
        "hi",
        "hope",
        "hoping",
        "interested",
        "kindly",
        "know",
        "lastly",
        "looking",
        "love",
        "moreover",
        "provide",
        "recommend",
        "secondly",
        "suggest",
        "suggestion",
        "tell",
        "thank",
        "thanks",
        "thirdly",
        "wanna",
        "wonder",
        "wondering",
        "appreciate",
        "appreciated",
        "favorite",
        "favourite",
        "fun",
        "excited",
        "enthusiast",
        "mood",
        "option",
        "something",
        "thing",
        "stuff",
        "lot",
        "sure",
        "trying",
        "try",
        "think",
        "thinking",
        "planning",
        "organizing",
        "surprise",
        "perfect",
        "great",
        "good",
        "nice",
        "specific",
        "specifically",
        "particular",
        "certain",
        "able",
        "currently",
        "going",
        "include",
        "including",
        "ensure",
        "helpful",
    ]
)


def tokens(text: str) -> list[str]:
    """The stems of a text in its order, without stop words.

    An identifier gives its parts and, when it has several, itself as one word: `listPullRequests` gives `list`, `pull`,
    `request`, `listpullrequest`, so that `SecurityHub`, `security hub` and `securityhub` find each other.
    """
    return [stem(word) for word in words(text) if word not in STOP]


def words(text: str) -> list[str]:
    """The lower-case words of a text, identifiers taken apart."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = [part.lower() for part in _PIECE.findall(word)]
        found += [part for part in parts if len(part) <= _LONGEST]
        if len(parts) > 1 and len(word) <= _LONGEST:
            found.append("".join(parts))
    return found


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Singular and plural made one: `policies` and `policy`, `movies` and `movie`, `boxes` and `box`."""
    if len(word) < 3 or not (word.isascii() and word.isalpha()):
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "i"
    if len(word) > 4 and word.endswith("ie"):
        return word[:-2] + "i"
    if len(word) > 3 and word.endswith("y") and word[-2] not in "aeou":
        return word[:-1] + "i"
    if len(word) > 3 and word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=100_000)
def root(word: str) -> str:
    """What the forms of a verb and its noun share: `validate`, `validated`, `validation` give `valid`.

    Too coarse to stand for the word itself: words of one root stand in for each other at a discount.
    """
    cut = stem(word)
    if len(cut) < 5 or not (cut.isascii() and cut.isalpha()):
        return cut
    if cut.endswith("ing") and _has_vowel(cut[:-3]):
        cut = _undouble(cut[:-3])
    elif cut.endswith("ed") and not cut.endswith("eed") and _has_vowel(cut[:-2]):
        cut = _undouble(cut[:-2])
    if len(cut) > 4 and cut.endswith("e"):
        cut = cut[:-1]
    for ending in ("ation", "ator", "at"):
        if cut.endswith(ending) and len(cut) - len(ending) >= 4:
            return cut[: -len(ending)]
    return cut


def _has_vowel(text: str) -> bool:
    return any(letter in "aeiouy" for letter in text)


def _undouble(text: str) -> str:
    return text[:-1] if len(text) > 3 and text[-1] == text[-2] and text[-1] not in "lsz" else text


def deletions(word: str) -> set[str]:
    """The word, and what remains of it when one letter is left out: words that share one are a typo apart."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def one_typo_apart(first: str, second: str) -> bool:
    """Whether one letter added, left out, changed, or two neighbours swapped make one word of the other."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return False
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    left, right = first[start:], second[start:]
    if len(left) == len(right):
        return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[1:] == shorter

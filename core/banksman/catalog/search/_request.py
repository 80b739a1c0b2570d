"""A request taken apart: what it asks for one after the other, and what each word of it weighs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from banksman.catalog.search._text import FRAME, STOP, stem, tokens, words

#: Longer requests are cut here, so that no text can make a search slow.
LONGEST: Final = 4_000
MOST_PARTS: Final = 10
MOST_WORDS: Final = 60

_IN_FRAME: Final = 0.3
_IN_VALUE: Final = 0.3
_IN_SETTING: Final = 0.3
_IMPLIED: Final = 0.2
_JOINED: Final = 0.3

_VERBS: Final = "|".join(
    sorted(
        [
            "get",
            "find",
            "list",
            "show",
            "search",
            "fetch",
            "retrieve",
            "create",
            "add",
            "make",
            "delete",
            "remove",
            "update",
            "change",
            "set",
            "send",
            "check",
            "verify",
            "analyze",
            "calculate",
            "compute",
            "convert",
            "translate",
            "generate",
            "provide",
            "give",
            "tell",
            "recommend",
            "suggest",
            "book",
            "schedule",
            "cancel",
            "play",
            "follow",
            "compare",
            "download",
            "upload",
            "validate",
            "identify",
            "determine",
            "estimate",
            "extract",
            "detect",
            "recognize",
            "track",
            "monitor",
            "register",
            "record",
            "simulate",
            "perform",
            "run",
            "start",
            "stop",
            "include",
            "look",
            "obtain",
            "access",
            "explore",
            "explain",
            "describe",
            "evaluate",
            "predict",
            "solve",
            "order",
            "buy",
            "purchase",
            "reserve",
            "share",
            "post",
            "write",
            "read",
            "view",
            "open",
            "close",
            "enable",
            "disable",
            "put",
            "save",
            "store",
            "plot",
            "draw",
            "rate",
            "review",
            "measure",
            "summarize",
            "display",
            "return",
            "pull",
            "query",
            "lookup",
            "notify",
            "invite",
            "assign",
            "approve",
            "merge",
            "move",
            "copy",
            "export",
            "import",
            "restart",
            "deploy",
            "archive",
            "rename",
            "reply",
        ],
        key=len,
        reverse=True,
    )
)
_SENTENCE: Final = re.compile(r"(?<=[.?!;])[\"')\]]*[,\s]+(?=[\"'(]*[A-Z])|\n+|;\s+")
_POLITE: Final = r"(?:(?:also|then|finally|lastly|please|to|i(?:'d| would)? (?:also )?(?:want|need|like)(?: to)?)\s+)*"
_CLAUSE: Final = re.compile(
    rf",?\s+(?:and|then|plus)\s+{_POLITE}(?=(?:{_VERBS})\b)"
    rf"|,\s*(?:(?:and|then|also|finally|please)\s+)*(?=(?:{_VERBS})\b)"
    r"|,?\s+(?:and also|as well as|after that|along with|in addition to)\s+",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    r"\?|\b(?:please|can you|could you|would you|i need|i want|i'd like|i would like|need to|want to|like to|help me"
    r"|help us|interested in|looking for|provide|fetch|retrieve|find|give me|tell me|show me)\b",
    re.IGNORECASE,
)
_BLANKS: Final = re.compile(r"\s+")
_SETTING: Final = re.compile(
    r"^\W*(?:i'm|i am|i’m|my|we're|we are|our|as an?|i have|we have|i recently|i just)\b", re.IGNORECASE
)
#: Quoted texts, addresses and whatever holds a digit: what an argument will be filled with, not what is asked for.
_VALUE: Final = re.compile(
    r"'[^']{1,200}'(?!\w)|\"[^\"]{1,200}\"|‘[^’]{1,200}’|“[^”]{1,200}”|https?://\S+|[^\s@]{1,64}@\S+|\b\w*\d\w*\b"
)
#: The arguments that a value implies.
_KINDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE if folded else 0), tuple(stem(word) for word in names.split()))
    for pattern, folded, names in (
        (r"[^\s@]@\w[\w-]*\.\w", False, "email"),
        (r"https?://\S|\bwww\.\w", False, "url website link"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", False, "ip address"),
        (
            (
                r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b(?:january|february|march|april|may|june|july|august"
                r"|september|october|november|december)\s+\d{1,2}\b|\b(?:today|tomorrow|tonight|yesterday|monday|tuesday"
                r"|wednesday|thursday|friday|saturday|sunday)\b"
            ),
            True,
            "date",
        ),
        (r"\b\d{1,2}(?::\d\d)?\s?(?:am|pm)\b|\b\d{1,2}:\d\d\b", True, "time"),
        (r"[$€£]\s?\d|\b\d+\s?(?:usd|eur|dollars?|euros?|pounds?|bucks)\b", True, "amount price"),
        (r"\+\d{7}|\b\d{3}-\d{3}-\d{4}\b", False, "phone number"),
        (r"\b(?:in|from|to|near|at|around)\s[A-Z][a-z]", False, "city location"),
        (r"\bhow much\b", True, "price amount"),
        (r"\bhow far\b", True, "distance"),
        (r"\bhow long\b", True, "duration"),
        (r"\bwhere\b", True, "location"),
        (r"^\W*when\b|\bwhat time\b", True, "date time"),
        (r"^\W*who\b", True, "person"),
        (r"\bhow many\b", True, "count"),
    )
)
_FRAME_STEMS: Final = frozenset(stem(word) for word in FRAME)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is asked for.

    Attributes:
        text: as it was written.
        weight: 1, or less where the text tells of the setting and asks for nothing.
        words: what each of its stems weighs, from 0 to 1.
        joined: those of the words that are neighbours written as one: `describe tags` asks for `DescribeTags` too.
    """

    text: str
    weight: float
    words: dict[str, float]
    joined: frozenset[str] = frozenset()


def parts(request: str) -> list[Part]:
    """What a request asks for, one after the other; never more than ten parts of sixty words each."""
    found: list[Part] = []
    # Runs of blanks made one: the patterns are then linear in the length of the text.
    text = _BLANKS.sub(lambda run: "\n" if "\n" in run[0] else " ", request[:LONGEST])
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    for sentence in sentences:
        setting = len(sentences) > 1 and _SETTING.match(sentence) and not _ASKS.search(sentence)
        for clause in _CLAUSE.split(sentence):
            weighed = _weigh(clause)
            if weighed and len(found) < MOST_PARTS:
                joined = _joined(clause) - weighed.keys()
                weighed |= dict.fromkeys(sorted(joined), _JOINED)
                found.append(Part(clause.strip(), _IN_SETTING if setting else 1.0, weighed, joined))
    return found


def whole(found: list[Part]) -> dict[str, float]:
    """The words of all parts together."""
    together: dict[str, float] = {}
    for part in found:
        for word, weight in part.words.items():
            together[word] = max(together.get(word, 0.0), weight * part.weight)
    return together


def _weigh(clause: str) -> dict[str, float]:
    weighed: dict[str, float] = {}
    for word in tokens(_VALUE.sub(" ", clause)):
        weighed[word] = _IN_FRAME if word in _FRAME_STEMS else 1.0
    for word in tokens(clause):
        weighed.setdefault(word, _IN_VALUE)
    if weighed:
        for pattern, names in _KINDS:
            if pattern.search(clause):
                for name in names:
                    weighed.setdefault(name, _IMPLIED)
    return dict(list(weighed.items())[:MOST_WORDS])


def _joined(clause: str) -> frozenset[str]:
    plain = [word for word in words(_VALUE.sub(" ", clause)) if word not in STOP and len(word) > 1][:MOST_WORDS]
    return frozenset(
        stem("".join(plain[place : place + length])) for length in (2, 3) for place in range(len(plain) - length + 1)
    )

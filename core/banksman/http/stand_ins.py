"""What stands in a recording for a text that must not be kept: of the same shape, and the same one each time.

A digit stays a digit and a letter a letter, so that what reads ids, dates and numbers still reads them; equal texts get
equal stand-ins, so that references still match. They are numbered, not computed from the text, so nobody can search
for the text that gives one.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import quote

_EMAIL = re.compile(r"[^@\s<>\"']+@[^@\s<>\"']+\.[^@\s<>\"']+")
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#\s]+)(?P<rest>\S*)")
# Numbers with a point, dates and times tell nothing that the numbers beside them do not.
_OPEN = re.compile(
    r"[+-]?\d+\.\d+|\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
    r"|\d{2}:\d{2}(?::\d{2})?|/Date\(-?\d+(?:[+-]\d+)?\)/|true|false|null",
    re.IGNORECASE,
)
_FILLER = "loremipsumdolorsitametconsecteturadipiscingelit"
#: A text shorter than this is not looked for inside of others: it would be found everywhere.
WORTH = 4


def is_open(text: str) -> bool:
    """Whether a text tells nothing worth hiding: a couple of characters, a short number, a date, an amount."""
    return len(text) <= 2 or (text.isdecimal() and len(text) <= 4) or _OPEN.fullmatch(text) is not None


class StandIns:
    """The stand-ins of one set of recordings."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._pattern: re.Pattern[str] | None = None
        self._forms: dict[str, str] = {}

    def __contains__(self, text: str) -> bool:
        return text in self._of

    def of(self, text: str) -> str:
        """The stand-in of a text; made when it is first asked for."""
        if text not in self._of:
            made = self._made(text)
            self._of[text] = made
            self._taken.add(made)
            self._pattern = None
        return self._of[text]

    def _made(self, text: str) -> str:
        outline = _outline(text)
        while True:
            self._counts[outline] += 1
            made = _numbered(text, self._counts[outline])
            if made is None:
                # There are more such texts than the shape has room for.
                return f"stand-in {len(self._of)}"
            if made != text and made not in self._taken:
                return made

    def within(self, text: str) -> str:
        """A text with every known one in it replaced, plain or percent-encoded, where it is a word of its own."""
        if self._pattern is None:
            known = {old: new for old, new in self._of.items() if len(old) >= WORTH}
            ways = ("", "/", "/:@!$&'()*+,;=")
            self._forms = {quote(old, safe=safe): quote(new, safe=safe) for old, new in known.items() for safe in ways}
            self._forms |= known
            joined = "|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))) or r"(?!)"
            self._pattern = re.compile(rf"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))(?:{joined})(?![A-Za-z0-9])")
        return self._pattern.sub(lambda match: self._forms[match[0]], text)


def is_email(text: str) -> bool:
    """Whether a text is an address of e-mail."""
    return _EMAIL.fullmatch(text) is not None


def _outline(text: str) -> str:
    return "@" if is_email(text) else "".join("0" if c.isdigit() else "a" if c.isalpha() else c for c in text)


def _numbered(text: str, number: int) -> str | None:
    """A text of the same shape that bears a number; None where it has no room for it."""
    if is_email(text):
        return f"user{number}@example.com"
    if url := _URL.fullmatch(text):
        shaped = _shaped(url["rest"] or "/0000", number)
        return f"{url['scheme']}://host.example{shaped}" if shaped else None
    return _shaped(text, number)


def _shaped(text: str, number: int) -> str | None:
    """Plain letters and zeros in the places of letters and digits, the number spread over the last of them."""
    prose = any(character.isspace() for character in text) or not any(c.isdigit() or c.isupper() for c in text)
    # An id's first letter says what kind of thing it names.
    kept = 0 if prose or not text[:1].isalpha() else 1
    shaped: list[str] = []
    for place in range(len(text) - 1, kept - 1, -1):
        alphabet = _alphabet(text[place], text)
        if not alphabet:
            shaped.append(text[place])
        elif number:
            number, digit = divmod(number, len(alphabet))
            shaped.append(alphabet[digit])
        else:
            shaped.append(_filled(alphabet, place, prose=prose))
    return None if number else text[:kept] + "".join(reversed(shaped))


def _alphabet(character: str, text: str) -> str:
    if character.isdigit():
        return "0123456789"
    letters = "abcdef" if _is_hexadecimal(text) else "abcdefghijklmnopqrstuvwxyz"
    if character.isupper():
        return letters.upper()
    return letters if character.isalpha() else ""


def _is_hexadecimal(text: str) -> bool:
    return any(c.isdigit() for c in text) and re.fullmatch(r"[0-9a-fA-F{}-]{8,}", text) is not None


def _filled(alphabet: str, place: int, *, prose: bool) -> str:
    if not prose or len(alphabet) < 26:
        return alphabet[0]
    letter = _FILLER[place % len(_FILLER)]
    return letter.upper() if alphabet[0].isupper() else letter

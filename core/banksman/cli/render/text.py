"""Text from outside, made safe to look at: no control character, nothing invisible, nothing that turns the line round.

Assume that an attacker wrote it, and that he wants the approver to read something else than what is there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from rich.text import Text

from banksman._canonical import Plain, exact
from banksman._record import Placeholder, describe, pieces
from banksman.auth import redact

#: Printable by Unicode's account, and yet nothing to be seen: fillers, joiners, variation selectors.
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: More marks than this on one character paint over the lines above and below.
_MARKS = 3

ESCAPE = "reverse"
KNOWN_LATER = "magenta"


def visible(text: str, *, quoted: bool = False) -> str:
    """The text with escapes such as `\\x1b` and `\\u202e` in place of what cannot be seen or acts on the terminal.

    `quoted` escapes backslashes and quotation marks as well, so that no text can look like an escape.
    """
    return outside(text, quoted=quoted).plain


def outside(text: str, style: str = "", *, quoted: bool = False) -> Text:
    """A text from outside. Known secrets are taken out; what cannot be seen stands there reversed."""
    text = redact(text)
    if text.isascii() and text.isprintable() and "\\" not in text and "(known after " not in text and not quoted:
        return Text(text, style)
    out = Text(style=style)
    run: list[str] = []
    marks = _MARKS  # a mark at the beginning would sit on what stands before the text
    for place, letter in enumerate(text):
        marks = marks + 1 if unicodedata.category(letter)[0] == "M" else 0
        escaped = _escaped(letter, marks, quoted) or _ambiguous(text, place, quoted)
        if escaped is None:
            run.append(letter)
            continue
        out.append("".join(run))
        out.append(escaped, ESCAPE)
        run.clear()
    out.append("".join(run))
    return out


def _escaped(letter: str, marks: int, quoted: bool) -> str | None:
    if quoted and letter in '"\\':
        return "\\" + letter
    if marks <= _MARKS and letter not in _UNSEEN and (letter.isprintable() or letter == "\u3000"):
        return None
    code = ord(letter)
    return _NAMED.get(letter) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _ambiguous(text: str, place: int, quoted: bool) -> str | None:
    """What would read like an escape, or like a value that is not known yet, gets one more backslash."""
    if not quoted and text[place] == "\\" and text[place + 1 : place + 2] in tuple("nrtxuU\\("):
        return "\\\\"
    if not quoted and text.startswith("(known after ", place):
        return "\\("
    return None


def quoted(text: str, nonce: str = "") -> Text:
    """A text in quotation marks; what will be known later stands outside of them, so that nobody can pretend it."""
    out = Text()
    parts = pieces(text, nonce) if nonce else [text]
    if not parts:
        return Text('""')
    for piece in parts:
        if isinstance(piece, Placeholder):
            out.append_text(known_later(piece, nonce))
        else:
            out.append('"').append_text(outside(piece, quoted=True)).append('"')
    return out


def prose(text: str, nonce: str = "", style: str = "") -> Text:
    """A text without quotation marks."""
    out = Text(style=style)
    for piece in pieces(text, nonce) if nonce else [text]:
        out.append_text(known_later(piece, nonce) if isinstance(piece, Placeholder) else outside(piece))
    return out


def known_later(piece: str, nonce: str) -> Text:
    """`(known after move[0]: id)`."""
    told = describe(piece, nonce)
    return Text("(" + visible(told[1:-1]) + ")", KNOWN_LATER)


def shown(value: Plain, nonce: str = "") -> Text:
    """A value on one line, as JSON would have it."""
    if isinstance(value, str):
        return quoted(value, nonce)
    if value is None or isinstance(value, bool):
        return Text({None: "null", True: "true", False: "false"}[value])
    if isinstance(value, Decimal):
        return Text(exact(value) if value.is_finite() else str(value))
    if isinstance(value, bytes):
        return Text(f"<{len(value)} bytes: {value[:16].hex()}{'...' if len(value) > 16 else ''}>")
    if isinstance(value, Mapping):
        inner = [Text.assemble(name_of(str(key)), ": ", shown(item, nonce)) for key, item in value.items()]
        return Text.assemble("{", Text(", ").join(inner), "}")
    if isinstance(value, list | tuple):
        return Text.assemble("[", Text(", ").join(shown(item, nonce) for item in value), "]")
    return outside(str(value))


def name_of(name: str, nonce: str = "") -> Text:
    """The name of a field: as it is where it is a word, else in quotation marks."""
    if (
        name
        and all(letter.isalnum() or letter in "_-@$/#=:+" for letter in name)
        and name.isprintable()
        and name.isascii()
    ):
        return Text(name)
    return quoted(name, nonce)

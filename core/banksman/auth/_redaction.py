"""Every secret this process knows, and the way to take them out of a text.

Secrets of the configuration are known for the life of the process; tokens as long as they are held and, after that,
as long as they are among the latest 256, so that a hub that runs for months stays quick.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import weakref
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from itertools import chain
from typing import Final
from urllib.parse import quote, quote_plus

#: What stands in a text where a secret was.
MASK: Final = "[secret]"

_SHORTEST = 4
_RECENT = 256
_HEX = re.compile(r"%[0-9A-F]{2}")


def _forms(value: str, *, passing: bool) -> tuple[str, ...]:
    """The value as it can stand in a header, a URL, a form or a JSON text, and for a lasting one in Base64."""
    raw = value.encode("utf-8", "surrogatepass")
    encoded = [quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)]
    forms = [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], *encoded]
    forms += [_HEX.sub(lambda found: found[0].lower(), form) for form in encoded]
    if not passing:
        forms += [encode(raw).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode)]
    return tuple(dict.fromkeys(forms))


@dataclass
class _Passing:
    forms: tuple[str, ...]
    holders: list[weakref.ref[object]]

    def is_held(self) -> bool:
        self.holders = [holder for holder in self.holders if holder() is not None]
        return bool(self.holders)


class _Registry:
    """Writers take the lock and swap the tuple; readers take whatever tuple is there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lasting: dict[str, tuple[str, ...]] = {}
        self._passing: dict[str, _Passing] = {}
        self.forms: tuple[str, ...] = ()

    def add(self, value: str, *, holder: object | None) -> None:
        """Take a value for good, or, if it has a holder, for as long as that lives and some time after."""
        if len(value) < _SHORTEST:
            return
        with self._lock:
            if value in self._lasting:
                return
            known = self._passing.pop(value, None)
            if holder is None:
                self._lasting[value] = _forms(value, passing=False)
            else:
                known = known or _Passing(_forms(value, passing=True), [])
                known.holders.append(weakref.ref(holder))
                self._passing[value] = known
            self._forget()
            passing = (known.forms for known in self._passing.values())
            forms = set(chain.from_iterable(chain(self._lasting.values(), passing)))
            # Longest first, so that a secret inside another one does not leave the rest standing.
            self.forms = tuple(sorted(forms, key=len, reverse=True))

    def _forget(self) -> None:
        left = [value for value, known in self._passing.items() if not known.is_held()]
        for value in left[:-_RECENT]:
            del self._passing[value]


_registry = _Registry()


def register(value: str, *, holder: object | None = None) -> None:
    """Make a value known, so that `redact` removes it from now on. Values under 4 characters are not taken.

    Args:
        value: the secret in clear.
        holder: the object that has it, for a value that passes as tokens do: when no holder is left, only the latest
            256 such values stay known. None keeps the value for the life of the process.
    """
    _guard_httpx_log()
    _registry.add(value, holder=holder)


def registered() -> frozenset[str]:
    """Every text that `redact` removes: the known values and their encoded forms. Itself secret; do not log it."""
    return frozenset(_registry.forms)


def redact(text: str) -> str:
    """The text with `[secret]` where a known secret stood, plain, percent-encoded, JSON-escaped or in Base64.

    Looking for each form by itself is quick (200 forms in 1 MB: 20 ms, where one alternation takes 370 ms), so the
    pattern is only built from the forms that are there.
    """
    found = [form for form in _registry.forms if form in text]
    if not found:
        return text
    # The mask comes first: a secret that is part of it must not match inside it.
    return re.sub("|".join(map(re.escape, (MASK, *found))), lambda _: MASK, text)


class RedactingFilter(logging.Filter):
    """Removes known secrets from log records. Put it on a handler, and it covers all loggers that reach it."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception:
            # A broken record is the handler's to report; it does so without formatting the arguments.
            return True
        clean = redact(text)
        if clean != text:
            record.msg, record.args = clean, None
        return True


_httpx_filter = RedactingFilter()


def _guard_httpx_log() -> None:
    """httpx logs each URL at INFO, and an API key may be a query parameter; `addFilter` adds a filter only once."""
    logging.getLogger("httpx").addFilter(_httpx_filter)

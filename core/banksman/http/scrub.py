"""Secrets stay out of logs, errors and recordings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from banksman.auth import redact

_HIDDEN = "[secret]"
_SECRET_NAMES = re.compile(
    r"(?:^|[-_.])(?:authorization|cookie|token|secret|password|passwd|api[-_]?key|apikey|credential|signature|sig|code)s?$",
    re.IGNORECASE,
)
_PATTERNS = re.compile(
    r"(?P<scheme>\b(?:bearer|basic|token)\s+)(?P<value>[A-Za-z0-9._~+/=-]{8,})"
    r"|(?P<userinfo>(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"
    r"|(?P<known>\bxox[abeoprs]-[A-Za-z0-9-]{6,}|\bgh[oprsu]_[A-Za-z0-9]{20,}|\bsk[-_](?:live|test|ant|proj)[-_][A-Za-z0-9_-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"""(?P<name>["']?[\w.-]*(?:token|secret|password|passwd|api[-_]?key)["']?\s*[:=]\s*["']?)(?P<value>[^\s"'&,;}]+)""",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """The text without anything that is, or looks like, a credential."""
    text = redact(text)
    text = _PATTERNS.sub(lambda m: (m["scheme"] or "") + _HIDDEN, text)
    return _PAIR.sub(lambda m: m["name"] + _HIDDEN, text)


def scrub_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with the values of the secret ones hidden."""
    return {name: _HIDDEN if _SECRET_NAMES.search(name) else scrub(value) for name, value in headers.items()}

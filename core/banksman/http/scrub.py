"""Secrets stay out of logs, errors and recordings."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from banksman.auth import redact

_HIDDEN = "[secret]"
_SECRET_NAMES = re.compile(
    r"(?:^|[-_.])(?:authorization|authenticate|cookie2?|token|secret|password|passwd|api[-_]?key|apikey|credential"
    r"|signature|sig|code|session|assertion)s?$",
    re.IGNORECASE,
)

# Every pattern is linear: it can start only where a run of its characters starts, so that a hostile text of megabytes
# costs no more than reading it.
_PATTERNS = re.compile(
    r"(?P<pem>-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[^-]|-(?!----END ))*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?)"
    r"|(?P<scheme>\b(?:bearer|basic|token|digest)\s{1,8})(?P<value>[A-Za-z0-9._~+/=-]{8,})"
    r"|(?P<userinfo>(?<=://)[^/\s:@]*:[^/\s@]+(?=@))"
    r"|(?P<known>(?<![A-Za-z0-9_-])(?:(?:xox[a-z]|xapp)-[A-Za-z0-9-]{6,}|gh[a-z]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|[sr]k[-_](?:live|test|ant|proj)[-_][A-Za-z0-9_-]{8,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,}"
    r"|ya29\.[\w.-]{10,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*))",
    re.IGNORECASE,
)
_COOKIES = re.compile(r"(?P<name>\b(?:set-)?cookie\s{0,4}:\s{0,4})[^\r\n]+", re.IGNORECASE)
_PAIR = re.compile(
    r"""(?P<name>(?<![\w.-])[\w.-]*?(?:token|secret|password|passwd|pwd|api[-_]?key|authorization)\\?["']?\s{0,4}[:=]\s{0,4})"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\\?["']?[^\s"'&,;}\\]+)""",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"(?P<name>[?&](?:[\w.-]*[-_.])?(?:key|sig|signature|code|credential|assertion|session|auth)=)[^&\s\"'#]+",
    re.IGNORECASE,
)
#: A header as the byte-level loggers print it: `(b'Set-Cookie', b'...')`.
_LOGGED = re.compile(r"""\(b(?P<q>['"])(?P<name>[\w-]+)(?P=q), b(?P<r>['"])(?P<value>[^'"]*)(?P=r)""")


def scrub(text: str) -> str:
    """The text without anything that is, or looks like, a credential."""
    text = redact(text)
    text = _LOGGED.sub(_scrub_logged, text)
    text = _COOKIES.sub(lambda m: m["name"] + _HIDDEN, text)
    text = _PATTERNS.sub(lambda m: (m["scheme"] or "") + _HIDDEN, text)
    text = _QUERY.sub(lambda m: m["name"] + _HIDDEN, text)
    return _PAIR.sub(_scrub_pair, text)


def _scrub_logged(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]):
        return match[0]
    return f"(b{match['q']}{match['name']}{match['q']}, b{match['r']}{_HIDDEN}{match['r']}"


def _scrub_pair(match: re.Match[str]) -> str:
    quote = match["value"][0] if match["value"][0] in "\"'" else ""
    closing = quote if len(match["value"]) > 1 and match["value"].endswith(quote or "\0") else ""
    return f"{match['name']}{quote}{_HIDDEN}{closing}"


def is_secret_name(name: str) -> bool:
    """Whether a header, parameter or field of this name holds a credential."""
    return _SECRET_NAMES.search(name) is not None


def scrub_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with the values of the secret ones hidden."""
    return {name: _HIDDEN if is_secret_name(name) else scrub(value) for name, value in headers.items()}


class ScrubbingFilter(logging.Filter):
    """Scrubs log records of libraries that print URLs and headers."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception:
            # A broken record is the handler's to report; it does so without formatting the arguments.
            return True
        record.msg, record.args = scrub(text), None
        return True


_filter = ScrubbingFilter()


def guard_logs() -> None:
    """Scrub what httpx and httpcore log: URLs at INFO, headers of answers at DEBUG. Repeating it changes nothing."""
    # A filter on a parent logger does not see the records of its children, so each is named.
    for name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
        logging.getLogger(name).addFilter(_filter)

"""What each route of a system does, since verbs lie: Slack reads by POST, some GETs write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from banksman._effect import Effect

_WORST = {
    "GET": Effect.READ,
    "HEAD": Effect.READ,
    "OPTIONS": Effect.READ,
    "DELETE": Effect.DESTROY,
}


class Routes:
    """Rows of `(method, path pattern, effect)`; the first that fits decides, and `*` is any method.

    A pattern is a path below the base URL in which `{name}` stands for one segment and `{name...}` for the rest.
    A route that is not listed counts as the worst its verb allows: DELETE destroys, POST, PUT and PATCH send.
    """

    def __init__(self, rows: Iterable[tuple[str, str, Effect]] = ()) -> None:
        self.rows = tuple(rows)

    @cached_property
    def _compiled(self) -> list[tuple[str, re.Pattern[str], Effect]]:
        return [(method.upper(), _pattern(path), effect) for method, path, effect in self.rows]

    def effect(self, method: str, path: str) -> Effect:
        """The effect of a request; `path` is relative to the base URL and starts with a slash."""
        for wanted, pattern, effect in self._compiled:
            if wanted in ("*", method) and pattern.fullmatch(path):
                return effect
        return _WORST.get(method, Effect.SEND)


def _pattern(path: str) -> re.Pattern[str]:
    out = []
    for part in re.split(r"(\{[^{}]*\})", path):
        if part.startswith("{") and part.endswith("...}"):
            out.append(".*")
        elif part.startswith("{"):
            out.append("[^/]+")
        else:
            out.append(re.escape(part))
    return re.compile("".join(out))

"""What each route of a system does, since verbs lie: Slack reads by POST, some GETs write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property

from banksman._effect import Effect

_WORST = {
    "GET": Effect.READ,
    "HEAD": Effect.READ,
    "OPTIONS": Effect.READ,
    "DELETE": Effect.DESTROY,
}
_DOTS = re.compile(r"(?:^|[/\\])\.\.?(?:$|[/\\;])")


#: For one route with many meanings (OData `$batch`, GraphQL): from the body to the effect.
Judge = Callable[[bytes], Effect]


class Routes:
    """Rows of `(method, path pattern, effect)`; the first that fits decides, and `*` is any method.

    A pattern is a path below the base URL in which `{name}` stands for one segment and `{name...}` for the rest.
    Instead of an effect, a row may give a function that judges the body.
    A route that is not listed counts as the worst its verb allows: DELETE destroys, POST, PUT and PATCH send.
    """

    def __init__(self, rows: Iterable[tuple[str, str, Effect | Judge]] = ()) -> None:
        self.rows = tuple(rows)

    @cached_property
    def _compiled(self) -> list[tuple[str, re.Pattern[str], Effect | Judge]]:
        return [(method.upper(), _pattern(path), effect) for method, path, effect in self.rows]

    def effect(self, method: str, path: str, content: bytes = b"") -> Effect:
        """The effect of a request; `path` is relative to the base URL and starts with a slash."""
        if _DOTS.search(path):
            # A server may resolve `..` that came encoded, and so serve another route than the one judged here.
            return Effect.SEND
        for wanted, pattern, effect in self._compiled:
            if wanted in ("*", method) and pattern.fullmatch(path):
                return effect if isinstance(effect, Effect) else effect(content)
        return worst(method)


def worst(method: str) -> Effect:
    """The worst that a verb allows."""
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

"""Concludes what an operation does outside."""

from __future__ import annotations

from banksman._effect import Effect
from banksman.catalog.entry import Entry


def infer(entry: Entry) -> tuple[Effect, str]:
    """The effect and the reason."""
    if entry.method in ("GET", "HEAD", "OPTIONS"):
        return Effect.READ, "GET"
    if entry.method == "DELETE":
        return Effect.DESTROY, "DELETE"
    return Effect.WRITE, entry.method

"""What the seam saw: one request and how it was answered. Observers record, replay, count and log from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from banksman._effect import Effect


@dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt at one request.

    Attributes:
        response: the whole answer, decoded; None where there was none.
        error: what went wrong on the way, where something did.
        started: when the attempt left, in UTC.
        seconds: how long it took.
        attempt: 1 for the first.
    """

    request: httpx.Request
    effect: Effect
    response: httpx.Response | None
    error: Exception | None
    started: datetime
    seconds: float
    attempt: int


Observer = Callable[[Exchange], None]

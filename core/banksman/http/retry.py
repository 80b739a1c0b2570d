"""When a request is sent again. Never an unsafe one without an idempotency key."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import httpx

#: Statuses that say "not now"; others are answers.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

# More digits than anybody means would be infinity.
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounded retries with full jitter.

    Attributes:
        attempts: how often a safe request is sent at most, the first time included.
        base: seconds; the longest first pause, doubled for each further one.
        longest: seconds; no single pause is longer, and a `Retry-After` beyond it ends the retries.
    """

    attempts: int = 4
    base: float = 0.5
    longest: float = 30.0

    def pause(self, attempt: int, retry_after: float | None, draw: Callable[[], float] = random.random) -> float | None:
        """Seconds to wait after the given attempt (1 is the first), None to give up."""
        if attempt >= self.attempts:
            return None
        if retry_after is not None:
            # A little later than asked, and spread, so that many callers do not come back at the same moment.
            return retry_after + draw() * self.base if retry_after <= self.longest else None
        return draw() * min(self.longest, self.base * 2.0 ** (attempt - 1))


def retry_after(headers: httpx.Headers, now: datetime | None = None) -> float | None:
    """Seconds that `Retry-After` asks for: a number or an HTTP date (RFC 9110, section 10.2.3); None: neither."""
    value = str(headers.get("retry-after", "")).strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        seconds: float = (moment - (now or datetime.now(timezone.utc))).total_seconds()
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds)

"""Where renewed tokens are kept, so that a rotated refresh token survives the process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class TokenStore(Protocol):
    """Keeps one JSON object per connection. Both methods may block and are called from any thread.

    The record is a secret: it holds the tokens in clear, so the store must encrypt it or keep it in memory.
    """

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What `put` last kept under the key, None if nothing."""
        ...

    def put(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep the record, in place of an older one. If it raises, the token lives on in memory, with a warning."""
        ...


class MemoryTokenStore:
    """Keeps tokens for the life of the process, for tests and for what logs in anew each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> Mapping[str, Any] | None:
        """See `TokenStore.get`."""
        with self._lock:
            record = self._records.get(key)
            return None if record is None else dict(record)

    def put(self, key: str, record: Mapping[str, Any]) -> None:
        """See `TokenStore.put`."""
        with self._lock:
            self._records[key] = dict(record)

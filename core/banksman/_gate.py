"""What may leave: the mode of the seam, preview unless somebody says otherwise.

The gate is a `ContextVar`, so it follows tasks and worker threads; code that forgets to open it can read, and cannot
write. Only the runtime opens it, for the fingerprints of requests that were approved and whose intent is on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from banksman._effect import Effect
from banksman.errors import WriteRefused

#: Fingerprints of the requests that may pass now. None: preview, no write passes.
_allowed: ContextVar[frozenset[str] | None] = ContextVar("banksman_gate", default=None)
#: Whether a refused write is handed to the caller (`Captured`) instead of being an error.
_capturing: ContextVar[bool] = ContextVar("banksman_capturing", default=False)


class Captured(BaseException):
    """Carries the request that would have left. A BaseException, so that no SDK's `except Exception` swallows it."""

    def __init__(self, request: Any) -> None:
        super().__init__("a write was captured instead of sent")
        self.request = request


@contextmanager
def sending(fingerprints: Iterable[str]) -> Iterator[None]:
    """Let exactly these requests pass. For the runtime alone."""
    token = _allowed.set(frozenset(fingerprints))
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def capturing() -> Iterator[None]:
    """Raise `Captured` for each write that a block attempts."""
    token = _capturing.set(True)
    try:
        yield
    finally:
        _capturing.reset(token)


def is_approved(fingerprint: str) -> bool:
    """Whether a request of this fingerprint is an approved write that is being sent just now."""
    return fingerprint in (_allowed.get() or ())


def admit(effect: Effect, request: Any, fingerprint: str, what: str) -> None:
    """Let a request pass, or stop it.

    Raises:
        Captured: a write while a body captures what its SDK builds.
        WriteRefused: a write that nobody approved.
    """
    if not effect.changes:
        return
    allowed = _allowed.get()
    if allowed is not None and fingerprint in allowed:
        return
    if allowed is None and _capturing.get():
        raise Captured(request)
    state = "is not the request that was approved" if allowed is not None else "was tried outside an approved run"
    raise WriteRefused(
        f"{what} {state}, so it was not sent",
        hint="A write action returns its request as a Change; only the runtime sends it.",
    )

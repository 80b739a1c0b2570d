"""Nothing leaves the machine while a recording is replayed, through whatever door."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_watching: list[list[str]] = []
_installed = False


class LeftTheSeam(AssertionError):
    """Code opened a connection of its own, past the seam and everything that it guards."""


@contextmanager
def offline() -> Iterator[None]:
    """Refuse every connection that the block opens, in any thread, by any client.

    SDKs have more doors than one: some upload files or look up hosts past the client that they were given.

    Raises:
        LeftTheSeam: at the end of the block, also where the code swallowed the refusal.
    """
    global _installed
    if not _installed:
        # An audit hook cannot be taken away again, so there is one that looks whether anybody wants it.
        sys.addaudithook(_hook)
        _installed = True
    tries: list[str] = []
    _watching.append(tries)
    try:
        yield
    finally:
        _watching.remove(tries)
    if tries:
        raise LeftTheSeam(f"{len(tries)} connection(s) past the seam: {'; '.join(tries)}")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    if event != "socket.getaddrinfo" and arguments[0].family == getattr(socket, "AF_UNIX", None):
        return
    what = f"{event} {arguments[1:] if event != 'socket.getaddrinfo' else arguments[:2]}"
    for tries in _watching:
        tries.append(what)
    raise LeftTheSeam(f"{what}: a recording is replayed, and the seam was passed by")

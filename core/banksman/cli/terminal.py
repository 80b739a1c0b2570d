"""The terminal's other direction: answers and signals, neither of which stops the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Any


async def answer(ask: Callable[[], None], *others: asyncio.Future[Any]) -> str | None:
    """Ask, and give the line that is typed then; None at the end of input, or where one of `others` is done first."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[Any] = loop.create_future()
    handle = sys.stdin.fileno()
    gathered = bytearray()
    # What was typed before the question was there is no answer to it.
    with contextlib.suppress(termios.error):
        termios.tcflush(handle, termios.TCIFLUSH)
    ask()

    def readable() -> None:
        # A terminal gives a line at a time, and nothing once its other end is gone.
        try:
            got = os.read(handle, 4096)
        except OSError:
            got = b""
        gathered.extend(got)
        if not typed.done() and (not got or b"\n" in gathered):
            first, ended, _ = bytes(gathered).partition(b"\n")
            typed.set_result(first.decode("utf-8", "replace").strip() if ended else None)

    loop.add_reader(handle, readable)
    try:
        await asyncio.wait([typed, *others], return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(handle)
    line: str | None = typed.result() if typed.done() else None
    return line


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Future[None]]:
    """Done at the first SIGINT or SIGTERM. The second ends the process at once: a run can bear that."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def asked(number: int) -> None:
        if not stop.done():
            stop.set_result(None)
            return
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, asked, number)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        if not stop.done():
            stop.cancel()

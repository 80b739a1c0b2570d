"""Unpacking an answer without letting it unfold: a few kilobytes of gzip can stand for gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

from banksman.errors import MalformedAnswer

_GZIP = frozenset({"gzip", "x-gzip"})


class TooLarge(MalformedAnswer):
    """An answer has more bytes, sent or unpacked, than the connection allows."""


def encodings(header: str) -> tuple[str, ...]:
    """The content codings of an answer that change its bytes.

    Raises:
        MalformedAnswer: there are several, or one whose unpacking cannot be bounded.
    """
    named = tuple(name for part in header.split(",") if (name := part.strip().lower()) not in ("", "identity"))
    if len(named) > 1 or not _GZIP.issuperset(set(named) - {"deflate"}):
        raise MalformedAnswer(
            f"the answer is packed as {', '.join(named)[:100]!r}; only gzip or deflate was asked for",
            hint="A proxy in between may pack answers by itself.",
        )
    return named


async def unpack(parts: AsyncIterable[bytes], coding: tuple[str, ...], most: int) -> bytes:
    """The whole body, unpacked; never more than a little over `most` bytes are held.

    Raises:
        TooLarge: the body is larger than `most`.
        MalformedAnswer: it is not packed as it says.
    """
    unpacker = _Unpacker(coding[0]) if coding else None
    held = bytearray()
    arrived = 0
    async for part in parts:
        arrived += len(part)
        if arrived > most:
            raise TooLarge(f"the answer is larger than {most:,} bytes")
        held += unpacker.feed(part, most + 1 - len(held)) if unpacker else part
        if len(held) > most:
            raise TooLarge(f"the answer is larger than {most:,} bytes")
    if unpacker is not None and arrived and not unpacker.complete:
        raise MalformedAnswer(f"the answer ends in the middle of its {coding[0]} data")
    return bytes(held)


class _Unpacker:
    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS if coding in _GZIP else zlib.MAX_WBITS)
        self._fed = False

    @property
    def complete(self) -> bool:
        return self._zlib.eof

    def feed(self, part: bytes, most: int) -> bytes:
        """What the part unpacks to, at most `most` bytes: more than that is an error of the caller's anyway."""
        try:
            out = self._zlib.decompress(part, most)
        except zlib.error as error:
            if self._fed or self._coding != "deflate":
                raise MalformedAnswer(f"the answer is not {self._coding}, as it says: {error}") from None
            # Some servers mean the bare format of RFC 1951, without the zlib frame.
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
            self._fed = True
            return self.feed(part, most)
        self._fed = True
        return out

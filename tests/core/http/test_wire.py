"""What only real bytes can show: packing, broken connections, deadlines, proxies and logs."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import tracemalloc
import zlib
from typing import Any

import pytest

from banksman import _gate
from banksman.errors import AccessDenied, MalformedAnswer, OutcomeUnknown, Unavailable
from banksman.http import Exchange, HttpApi, Limits, RetryPolicy

from .conftest import RawServer

ONCE = RetryPolicy(attempts=1)
MEGABYTE = 1024 * 1024


def answer(*parts: bytes, head: str = "", status: str = "200 OK") -> Any:
    """Speaks one answer in full."""

    def speak(_: bytes, connection: socket.socket) -> None:
        length = sum(len(part) for part in parts)
        connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n".encode())
        for part in parts:
            connection.sendall(part)

    return speak


def bomb(size: int, times: int = 1) -> bytes:
    packed = b""
    for _ in range(times):
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        if packed:
            packed = packer.compress(packed) + packer.flush()
        else:
            packed = b"".join(packer.compress(b"\0" * MEGABYTE) for _ in range(size // MEGABYTE)) + packer.flush()
    return packed


async def write(api: HttpApi) -> Any:
    request = api.request("POST", "orders", json={"n": 1})
    with _gate.sending([request.fingerprint]):
        return await api.send(request)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("x-gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}')[2:-4]),
        ("identity", b'{"a": 1}'),
        ("GZIP", gzip.compress(b'{"a": 1}', mtime=0)),
        ("", b'{"a": 1}'),
    ],
)
async def test_packed_answers_are_unpacked(raw_server: RawServer, coding: str, packed: bytes) -> None:
    raw_server.speak = answer(packed[:5], packed[5:], head=f"content-encoding: {coding}\r\n")
    assert await HttpApi(raw_server.url).get("x") == {"a": 1}


async def test_a_gigabyte_of_zeros_in_a_megabyte_is_stopped_early(raw_server: RawServer) -> None:
    packed = bomb(1024 * MEGABYTE)
    assert len(packed) < 2 * MEGABYTE
    raw_server.speak = answer(packed, head="content-encoding: gzip\r\n")
    api = HttpApi(raw_server.url, limits=Limits(response_bytes=4 * MEGABYTE), retry=ONCE)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer, match=r"larger than 4,194,304 bytes"):
            await api.get("x")
        assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "gzip, br", "compress", "x" * 5000])
async def test_packing_that_cannot_be_bounded_is_refused(raw_server: RawServer, coding: str) -> None:
    raw_server.speak = answer(bomb(64 * MEGABYTE, times=2), head=f"content-encoding: {coding}\r\n")
    with pytest.raises(MalformedAnswer, match="only gzip or deflate was asked for"):
        await HttpApi(raw_server.url, retry=ONCE).get("x")
    assert b"accept-encoding: gzip, deflate\r\n" in raw_server.requests[0].lower()


@pytest.mark.parametrize(
    ("packed", "said"),
    [(b"no gzip at all", "not gzip"), (gzip.compress(b'{"a": 1}', mtime=0)[:-9], "middle of its gzip")],
)
async def test_broken_packing_is_malformed(raw_server: RawServer, packed: bytes, said: str) -> None:
    raw_server.speak = answer(packed, head="content-encoding: gzip\r\n")
    with pytest.raises(MalformedAnswer, match=said):
        await HttpApi(raw_server.url, retry=ONCE).get("x")
    with pytest.raises(OutcomeUnknown):
        await write(HttpApi(raw_server.url))


async def test_an_endless_answer_is_cut_off(raw_server: RawServer) -> None:
    def speak(_: bytes, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)

    raw_server.speak = speak
    with pytest.raises(MalformedAnswer, match="larger than"):
        await HttpApi(raw_server.url, limits=Limits(response_bytes=MEGABYTE), retry=ONCE).get("x")


async def test_invalid_utf_8_is_malformed(raw_server: RawServer) -> None:
    raw_server.speak = answer(b'{"name": "\xff\xfe"}', head="content-type: application/json; charset=utf-8\r\n")
    with pytest.raises(MalformedAnswer, match="not valid UTF-8 at byte 10"):
        await HttpApi(raw_server.url).get("x")


def hang_up(_: bytes, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def break_off(_: bytes, connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":')


def babble(_: bytes, connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


@pytest.mark.parametrize("speak", [hang_up, break_off, babble])
async def test_without_a_whole_answer_a_read_is_unavailable_and_a_write_unknown(
    raw_server: RawServer, speak: Any
) -> None:
    raw_server.speak = speak
    with pytest.raises(Unavailable):
        await HttpApi(raw_server.url, retry=ONCE).get("x")
    before = len(raw_server.requests)
    with pytest.raises(OutcomeUnknown):
        await write(HttpApi(raw_server.url))
    assert len(raw_server.requests) == before + 1


async def test_where_nobody_listens_nothing_has_happened(closed_port: str) -> None:
    with pytest.raises(Unavailable, match="failed"):
        await write(HttpApi(closed_port))


async def test_a_trickle_is_ended_by_the_deadline(raw_server: RawServer) -> None:
    """Each silence is short enough for the timeout, so only the deadline of the whole attempt ends it."""
    done = threading.Event()

    def speak(_: bytes, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not done.wait(0.02):
            connection.sendall(b" ")

    raw_server.speak = speak
    limits = Limits(timeout=30.0, deadline=0.2)
    try:
        with pytest.raises(Unavailable):
            await HttpApi(raw_server.url, limits=limits, retry=ONCE).get("x")
        with pytest.raises(OutcomeUnknown):
            await write(HttpApi(raw_server.url, limits=limits))
    finally:
        done.set()


async def test_silence_is_ended_by_the_timeout(raw_server: RawServer) -> None:
    done = threading.Event()
    raw_server.speak = lambda head, connection: done.wait(20)
    try:
        with pytest.raises(Unavailable):
            await HttpApi(raw_server.url, limits=Limits(timeout=0.1), retry=ONCE).get("x")
    finally:
        done.set()


async def test_proxies_of_the_environment_are_not_used(
    raw_server: RawServer, closed_port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that anybody may have set would send the credential past somebody else."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, closed_port)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/dev/null")
    raw_server.speak = answer(b"[]")
    assert await HttpApi(raw_server.url).get("x") == []
    assert b"GET /x HTTP/1.1" in raw_server.requests[0]


SECRETS = ("hunter2-query", "hunter2-header", "hunter2-cookie", "hunter2-csrf", "hunter2-text", "hunter2-basic")


async def test_no_secret_is_in_any_log_record_or_error(raw_server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    import httpx

    raw_server.speak = answer(
        b'{"message": "bad token=hunter2-text for Bearer hunter2-header"}',
        status="403 Forbidden",
        head="set-cookie: session=hunter2-cookie; Path=/\r\nx-csrf-token: hunter2-csrf\r\n",
    )
    seen: list[Exchange] = []
    api = HttpApi(
        raw_server.url,
        auth=httpx.BasicAuth("ann", "hunter2-basic"),
        headers={"x-api-key": "hunter2-header"},
        observers=(seen.append,),
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(AccessDenied) as caught:
        await api.get("x", params={"access_token": "hunter2-query", "name": "ann"})
    loggers = {record.name for record in caplog.records}
    assert {"httpx", "httpcore.http11", "httpcore.connection", "banksman.http"} <= loggers, "all of them spoke"
    told = "\n".join([str(caught.value), *(record.getMessage() for record in caplog.records)])
    for secret in SECRETS:
        assert secret not in told
    assert len(seen) == 1


async def test_many_callers_share_the_slots_of_a_connection(raw_server: RawServer) -> None:
    import anyio

    lock, under_way, most = threading.Lock(), [0], [0]
    waiting = threading.Semaphore(0)

    def speak(_: bytes, connection: socket.socket) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        waiting.acquire(timeout=0.05)
        with lock:
            under_way[0] -= 1
        answer(b"[]")(b"", connection)

    raw_server.speak = speak
    api = HttpApi(raw_server.url, limits=Limits(concurrency=3))
    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(api.get, "x")
    assert most[0] == 3
    assert len(raw_server.requests) == 12

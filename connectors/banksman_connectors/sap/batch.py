"""Several requests in one: the JSON form of V4, and the multipart form of both versions.

A batch is a POST whatever is in it, so the gate judges it by its body. `effect_of_batch` accepts only what
`read_batch` writes, byte for byte in form: whatever else a server might make of a body counts as a write.

https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#sec_BatchRequest,
https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part1-protocol.html#sec_BatchRequests,
https://www.odata.org/documentation/odata-version-2-0/batch-processing/
"""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from email.message import Message
from typing import Any, Literal

import httpx

from banksman import Effect
from banksman._canonical import Plain
from banksman.errors import MalformedAnswer
from banksman.http import Request
from banksman.http.request import body_value, dump_json

Format = Literal["json", "multipart"]
_CRLF = "\r\n"
_GROUP = "g1"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One request within a batch.

    Attributes:
        url: relative to the service root.
        etag: what `If-Match` says; not covered by the approval, as it has to be fresh.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    etag: str | None = None

    def all_headers(self) -> dict[str, str]:
        """What is sent: the headers, and the ETag if there is one."""
        return {**self.headers, **({"if-match": self.etag} if self.etag else {})}


@dataclass(frozen=True)
class Changeset(Request):
    """One request that holds several writes, of which all or none take effect.

    Approval covers each part; the ETags inside are fresh ones and stay out of it.
    """

    parts: tuple[Part, ...] = ()

    def canonical(self) -> dict[str, Plain]:
        """See `Sendable`."""
        inner = [
            {
                "method": part.method,
                "url": part.url,
                "headers": dict(part.headers),
                "body": body_value(part.headers.get("content-type", ""), part.content),
            }
            for part in self.parts
        ]
        return {"kind": "odata-changeset", "method": self.method, "url": self.url, "parts": inner}

    def summary(self) -> str:
        """See `Sendable`."""
        return f"{super().summary()} ({len(self.parts)} writes, all or none)"


def read_batch(parts: Sequence[Part], form: Format) -> tuple[bytes, str]:
    """Body and content type of a batch of reads.

    Raises:
        ValueError: a part is no GET, or its address has a character that does not belong there.
    """
    for part in parts:
        if part.method != "GET" or not _URL.fullmatch(part.url):
            raise ValueError(f"{part.method} {part.url[:80]!r} cannot be part of a batch of reads")
    if form == "json":
        return dump_json({"requests": [{"id": str(n), "method": "GET", "url": p.url} for n, p in enumerate(parts)]}), (
            "application/json"
        )
    boundary = _boundary(parts)
    inner = _CRLF.join(f"--{boundary}{_CRLF}{_READ_HEAD}GET {part.url} HTTP/1.1{_READ_TAIL}" for part in parts)
    return f"{inner}{_CRLF}--{boundary}--{_CRLF}".encode("ascii"), f"multipart/mixed;boundary={boundary}"


def changeset(url: str, parts: Sequence[Part], form: Format, headers: Mapping[str, str]) -> Changeset:
    """The request that makes several writes at once."""
    if form == "json":
        content, kind = (
            dump_json({"requests": [_json_part(n, part) for n, part in enumerate(parts)]}),
            ("application/json"),
        )
    else:
        content, kind = _multipart(parts)
    return Changeset("POST", url, {**headers, "content-type": kind}, content, parts=tuple(parts))


def _json_part(number: int, part: Part) -> dict[str, Plain]:
    head = {"id": str(number), "atomicityGroup": _GROUP, "method": part.method, "url": part.url}
    return {**head, "headers": part.all_headers(), "body": json.loads(part.content, parse_float=Decimal)}


def _multipart(parts: Sequence[Part]) -> tuple[bytes, str]:
    outer = _boundary(parts)
    inner = outer.replace("batch", "changeset")
    out = [f"--{outer}", f"Content-Type: multipart/mixed; boundary={inner}", ""]
    for number, part in enumerate(parts, 1):
        out += [f"--{inner}", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
        out += [f"Content-ID: {number}", "", f"{part.method} {part.url} HTTP/1.1"]
        out += [f"{name}: {value}" for name, value in part.all_headers().items()]
        out += [f"Content-Length: {len(part.content)}", "", part.content.decode("utf-8")]
    out += [f"--{inner}--", f"--{outer}--", ""]
    return _CRLF.join(out).encode(), f"multipart/mixed;boundary={outer}"


def _boundary(parts: Sequence[Part]) -> str:
    """The same for the same parts, and not to be foreseen by whoever wrote a value inside one."""
    seed = hashlib.sha256()
    for part in parts:
        seed.update(f"{part.method} {part.url}".encode() + part.content)
    return f"batch_{seed.hexdigest()[:32]}"


_URL = re.compile(r"[A-Za-z0-9_.~%$&()=,;:@!*'?/+-]+")
_READ_HEAD = f"Content-Type: application/http{_CRLF}Content-Transfer-Encoding: binary{_CRLF}{_CRLF}"
_READ_TAIL = f"{_CRLF}Accept: application/json{_CRLF}{_CRLF}"
_READ_PART = re.compile(
    re.escape(_READ_HEAD) + rf"GET {_URL.pattern} HTTP/1\.1" + re.escape(_READ_TAIL),
)


def effect_of_batch(content: bytes) -> Effect:
    """`READ` for a body that `read_batch` could have written, `SEND` for any other."""
    try:
        text = content.decode("ascii")
        only_reads = _reads_json(text) if text.startswith("{") else _reads_multipart(text)
    except (ValueError, RecursionError):
        return Effect.SEND
    return Effect.READ if only_reads else Effect.SEND


def _reads_json(text: str) -> bool:
    # A name that is there twice means one thing to one parser and another to the next.
    body = json.loads(text, object_pairs_hook=_once)
    if body.keys() != {"requests"} or not isinstance(body["requests"], list):
        return False
    return all(
        isinstance(part, dict)
        and part.keys() == {"id", "method", "url"}
        and part["method"] == "GET"
        and isinstance(part["url"], str)
        and _URL.fullmatch(part["url"]) is not None
        for part in body["requests"]
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _reads_multipart(text: str) -> bool:
    match = re.match(r"--(batch_[0-9a-f]{32})\r\n", text)
    if match is None:
        return False
    mark, end = f"--{match[1]}{_CRLF}", f"{_CRLF}--{match[1]}--{_CRLF}"
    if not text.endswith(end):
        return False
    return all(
        _READ_PART.fullmatch(part) is not None for part in text.removesuffix(end)[len(mark) :].split(_CRLF + mark)
    )


def answers_in(response: httpx.Response) -> list[httpx.Response]:
    """The answers in a batch's answer, in the order of the requests. A changeset that failed has a single one.

    Raises:
        MalformedAnswer: it is no batch answer.
    """
    kind = response.headers.get("content-type", "")
    try:
        if kind.lower().startswith("multipart/"):
            return list(_multipart_answers(kind, response.content))
        items = json.loads(response.content)["responses"]
        items.sort(key=lambda item: int(item["id"]))
        return [_json_answer(item) for item in items]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedAnswer(f"the batch's answer cannot be read: {error}", status=response.status_code) from None


def _json_answer(item: Mapping[str, Any]) -> httpx.Response:
    body = item.get("body")
    text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    kept = {
        "content-type": "application/json",
        **{str(k).lower(): str(v) for k, v in (item.get("headers") or {}).items()},
    }
    kept.pop("content-length", None)
    return httpx.Response(int(item["status"]), headers=kept, content=text.encode())


def _multipart_answers(kind: str, content: bytes) -> Iterator[httpx.Response]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP.clone(raise_on_defect=False))
    message = parser.parsebytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + content)
    if not message.is_multipart():
        raise ValueError("it has no parts")
    yield from _flat(message)


def _flat(message: Message) -> Iterator[httpx.Response]:
    for part in message.get_payload():
        assert isinstance(part, Message)
        if part.is_multipart():
            yield from _flat(part)
            continue
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        head, _, body = payload.replace(b"\r\n", b"\n").partition(b"\n\n")
        lines = head.decode("latin-1").strip().split("\n")
        status = re.match(r"HTTP/\d\.\d (\d{3})", lines[0])
        if status is None:
            raise ValueError("a part has no status")
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        headers.pop("content-length", None)
        yield httpx.Response(int(status[1]), headers=headers, content=body.strip(b"\n"))

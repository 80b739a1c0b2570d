"""Recorded exchanges: what the seam saw, with nothing kept that was not declared fit to be kept.

    recorder = Recorder()
    api = open_http(connector, connection, Wiring(auth=..., observers=(recorder,)))
    ...
    scrubber = Scrubber(Keep(fields=frozenset({"ok", "error", "ts"})), origin="http://127.0.0.1:4001", public=["Hello"])
    recorded = scrubber.exchanges(recorder.take())

Scrubbing is by allow-list. A header stays if it is listed; a text in an answer stays if the name of its field is
listed, or if the one who records wrote it himself (`public`). Every other text becomes a stand-in of the same shape,
the same one wherever it stands. Numbers, booleans, dates and the structure stay. Requests hold what the one who records
wrote, what the connector's code adds and what earlier answers said; only the last is replaced in them. A text that
still looks like a credential ends the recording.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import httpx

from banksman._canonical import Plain
from banksman.errors import UsageError
from banksman.http.exchange import Exchange
from banksman.http.request import body_value, unsigned
from banksman.http.scrub import is_secret_name, scrub
from banksman.http.stand_ins import WORTH, StandIns, is_email, is_open

_REQUEST_HEADERS = frozenset({"content-type", "if-match", "if-none-match", "prefer", "x-http-method"})
_ANSWER_HEADERS = frozenset(
    {"allow", "content-type", "etag", "link", "location", "odata-version", "preference-applied", "retry-after"}
)


@dataclass(frozen=True, slots=True)
class Keep:
    """What of an exchange may stay as it is.

    Attributes:
        fields: names of JSON fields, form fields and query parameters whose texts stay: codes, states, types. Not
            what people wrote.
        headers: headers that stay, besides those that every recording keeps.
        replaced_headers: headers of answers whose presence matters, and whose value does not: it is replaced.
        texts: content types of bodies that stay as text, known texts in them replaced: `application/xml`.
    """

    fields: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    replaced_headers: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class RecordedExchange:
    """One request and its answer, as a file holds them.

    Attributes:
        path: from the root of the host, percent-encoded as it was sent.
        body: `{"json": ...}`, `{"form": [[name, value], ...]}`, `{"text": ...}`, `{"base64": ...}` or None.
        error: how the connection failed, as httpx names it, where there was no answer.
        fault: what was done to the exchange on purpose while it was recorded.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Plain = None
    status: int | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: Plain = None
    error: str | None = None
    fault: str | None = None

    def document(self) -> dict[str, Plain]:
        """The JSON form."""
        request = {
            "method": self.method,
            "path": self.path,
            "query": [list(pair) for pair in self.query],
            "headers": dict(self.headers),
            "body": self.body,
        }
        answer: dict[str, Plain] = {"error": self.error}
        if self.error is None:
            answer = {"status": self.status, "headers": dict(self.answer_headers), "body": self.answer}
        if self.fault:
            answer["fault"] = self.fault
        return {"request": request, "answer": answer}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RecordedExchange:
        """The exchange that `document` came from."""
        request, answer = document["request"], document["answer"]
        return cls(
            method=request["method"],
            path=request["path"],
            query=tuple((name, value) for name, value in request["query"]),
            headers=request["headers"],
            body=request["body"],
            status=answer.get("status"),
            answer_headers=answer.get("headers", {}),
            answer=answer.get("body"),
            error=answer.get("error"),
            fault=answer.get("fault"),
        )

    def summary(self) -> str:
        """One line for people."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.path}{'?' + query if query else ''}"


class Recorder:
    """An observer that holds every exchange it sees until they are taken; token requests are not exchanges."""

    def __init__(self) -> None:
        self._held: list[Exchange] = []
        self._paused = False

    def __call__(self, exchange: Exchange) -> None:
        # A token request is nobody's business but the auth flow's.
        if not self._paused and not exchange.request.extensions.get("banksman.auth"):
            self._held.append(exchange)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See nothing within the block."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def take(self) -> list[Exchange]:
        """What was seen since the last time."""
        held, self._held = self._held, []
        return held


#: Marks an answer that was given instead of the system's, in `response.extensions`: what was done.
FAULT = "banksman.fault"


class Scrubber:
    """Turns exchanges and arguments into what may be kept. One scrubber serves all recordings of a system.

    Args:
        origin: scheme, host and port of the system that is recorded.
        stand_in: what stands for the origin in recordings.
        public: texts that the one who records wrote himself.
    """

    def __init__(
        self, keep: Keep, *, origin: str, stand_in: str = "https://system.example", public: Iterable[str] = ()
    ):
        self.keep = keep
        self.origin = origin.rstrip("/")
        self.stand_in = stand_in
        self._public = set(public)
        self._stand_ins = StandIns()
        self._learned: list[tuple[Sequence[Exchange], Plain, Sequence[str]]] = []
        self._settled = True

    def learn(self, exchanges: Sequence[Exchange], arguments: Plain = None, *, before: Sequence[str] = ()) -> None:
        """Find out which texts are public and which are not.

        Each call takes the exchanges of one connection, what the connector was given, and what it had been answered
        `before` them. It has to be done for all before anything is scrubbed.
        """
        self._learned.append((exchanges, arguments, before))
        self._settled = False

    def _settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        for exchanges, arguments, before in self._learned:
            for one in exchanges:
                self._visit(_json_of(one), self._public.add, kept=True)
            self._learn_constants(exchanges, arguments, before)
        for exchanges, arguments, _ in self._learned:
            for value in (arguments, *(_json_of(one) for one in exchanges)):
                self._visit(value, self._private, kept=False)

    def _learn_constants(self, exchanges: Sequence[Exchange], arguments: Plain, before: Sequence[str]) -> None:
        """A text in a request that shares nothing with what the connector was given or answered is of its own code."""
        known = [text.lower() for text in before]
        self._every(arguments, lambda text: known.append(text.lower()))
        for one in exchanges:
            for text in _request_texts(one):
                if self.origin not in text and not any(_share(text.lower(), other) for other in known):
                    self._public.add(text)
            self._every(_json_of(one), lambda text: known.append(text.lower()))

    def _every(self, value: Plain, visit: Callable[[str], Any]) -> None:
        for kept in (True, False):
            self._visit(value, visit, kept=kept)

    def _visit(self, value: Plain, visit: Callable[[str], Any], *, kept: bool, name: str = "") -> None:
        if isinstance(value, str):
            if (name in self.keep.fields) is kept:
                visit(value)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self._visit(item, visit, kept=kept, name=key)
        elif isinstance(value, list):
            for item in value:
                self._visit(item, visit, kept=kept, name=name)

    def _private(self, text: str) -> None:
        if not (text in self._public or is_open(text) or text.startswith(self.origin)):
            self._stand_ins.of(text)

    def exchanges(self, seen: Sequence[Exchange]) -> tuple[RecordedExchange, ...]:
        """The exchanges as they may be kept.

        Raises:
            UsageError: one of them holds what cannot be kept.
        """
        if not any(known is seen for known, *_ in self._learned):
            self.learn(seen)
        self._settle()
        return tuple(self._exchange(one) for one in seen)

    def value(self, value: Plain) -> Plain:
        """Arguments or settings as they may be kept: what the recorder wrote stays."""
        self._settle()
        return self._mapped(value, lambda text, name: self._known(text))

    def _exchange(self, seen: Exchange) -> RecordedExchange:
        url = unsigned(seen.request)
        kind = seen.request.headers.get("content-type", "")
        made = RecordedExchange(
            method=seen.request.method,
            path=self._path(url.raw_path.partition(b"?")[0].decode("ascii")),
            query=tuple((name, self._known(value)) for name, value in url.params.multi_items()),
            headers=self._headers(seen.request.headers, _REQUEST_HEADERS),
            body=self._mapped(body_value(kind, seen.request.content), lambda text, name: self._known(text)),
        )
        if seen.response is None:
            if not isinstance(seen.error, httpx.TransportError):
                raise UsageError(f"{made.summary()}: {type(seen.error).__name__} cannot be recorded")
            made = replace(made, error=type(seen.error).__name__, fault=getattr(seen.error, "banksman_fault", None))
        else:
            made = replace(
                made,
                status=seen.response.status_code,
                answer_headers=self._headers(seen.response.headers, _ANSWER_HEADERS),
                answer=self._answer(seen.response),
                fault=seen.response.extensions.get(FAULT),
            )
        _refuse_credentials(made.document(), made.summary())
        return made

    def _path(self, path: str) -> str:
        parts = path.split("/")
        return "/".join(part if unquote(part) in self._public else self._stand_ins.within(part) for part in parts)

    def _headers(self, headers: httpx.Headers, always: frozenset[str]) -> dict[str, str]:
        kept = {
            name: self._known(value)
            for name, value in headers.items()
            if name in always | self.keep.headers and not is_secret_name(name)
        }
        if always is _ANSWER_HEADERS:
            kept |= {name: "stand-in" for name in headers if name in self.keep.replaced_headers}
        return dict(sorted(kept.items()))

    def _answer(self, response: httpx.Response) -> Plain:
        body = _body(response)
        if body is None or "json" in body:
            return self._mapped(body, self._answered)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if "text" not in body:
            return {"base64": base64.b64encode(bytes(len(response.content))).decode()}
        text = body["text"]
        if kind in self.keep.texts or response.extensions.get(FAULT):
            return {"text": self._stand_ins.within(self._moved(text))}
        return {"text": self._stand_ins.of(text)}

    def _answered(self, text: str, name: str) -> str:
        if name not in self.keep.fields:
            return self._known(text)
        # The next address stays, and has to lead where the recording goes on.
        return self._stand_ins.within(self._moved(text)) if "/" in text or "?" in text else text

    def _known(self, text: str) -> str:
        """A text that stands by itself: replaced if it is private, as are the private ones that it is made of."""
        if text in self._public:
            return text
        return self._stand_ins.of(text) if text in self._stand_ins else self._stand_ins.within(self._moved(text))

    def _mapped(self, value: Plain, change: Callable[[str, str], str], name: str = "") -> Plain:
        if isinstance(value, str):
            return change(value, name)
        if isinstance(value, Mapping):
            return {self._key(key): self._mapped(item, change, key) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._mapped(item, change, name) for item in value]
        return plain_json(value)

    def _key(self, key: str) -> str:
        # Some systems answer with objects whose keys are ids or addresses.
        return self._stand_ins.of(key) if key in self._stand_ins or is_email(key) else key

    def _moved(self, text: str) -> str:
        text = text.replace(self.origin, self.stand_in)
        return text.replace(quote(self.origin, safe=""), quote(self.stand_in, safe=""))


def _json_of(seen: Exchange) -> Plain:
    body = _body(seen.response) if seen.response is not None else None
    return body.get("json") if body else None


def _request_texts(seen: Exchange) -> Iterator[str]:
    """What a request says: the parts of its path, its parameters, the texts of its body."""
    url = unsigned(seen.request)
    yield from (unquote(part) for part in url.raw_path.partition(b"?")[0].decode("ascii").split("/"))
    yield from (value for _, value in url.params.multi_items())
    yield from _leaves(body_value(seen.request.headers.get("content-type", ""), seen.request.content))


def _share(text: str, known: str) -> bool:
    """Whether one of two texts can have been made of the other."""
    return text in known or (len(known) >= WORTH and known in text)


def _leaves(value: Plain) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(item)


def plain_json(value: Plain) -> Plain:
    """A parsed body as it reads back from a file: every number a float or an integer, every list a list."""
    if isinstance(value, Mapping):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def _body(response: httpx.Response) -> dict[str, Plain] | None:
    """The body of an answer as a recording holds it, before it is scrubbed."""
    if not response.content:
        return None
    try:
        text = response.content.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": ""}
    try:
        return {"json": json.loads(text)}
    except ValueError:
        return {"text": text}


def _refuse_credentials(value: Plain, where: str, name: str = "") -> None:
    if isinstance(value, str) and scrub(value) != value:
        raise UsageError(
            f"{where}: a text under {name or 'the top'!r} looks like a credential; nothing was written",
            hint="Take its field out of `keep`.",
        )
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_credentials(item, where, key)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_credentials(item, where, name)


def content_of(body: Plain) -> bytes:
    """The bytes of a recorded answer's body."""
    if body is None:
        return b""
    if "json" in body:
        return json.dumps(body["json"], ensure_ascii=False).encode()
    if "text" in body:
        return str(body["text"]).encode()
    return base64.b64decode(body["base64"])

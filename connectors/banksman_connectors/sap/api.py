"""The handle of one OData service: its metadata, its addresses, its session, its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import httpx

from banksman import Connection, Connector, Wiring, open_http
from banksman.errors import MalformedAnswer, OutcomeUnknown
from banksman.http import HttpApi, Request, build
from banksman.http.request import dump_json
from banksman_connectors.sap.address import query
from banksman_connectors.sap.answers import Pages, read_answer
from banksman_connectors.sap.batch import Changeset, Format, Part, answers_in, changeset, read_batch
from banksman_connectors.sap.edm import StructuredType, Version
from banksman_connectors.sap.metadata import parse_metadata
from banksman_connectors.sap.session import Session, refused
from banksman_connectors.sap.settings import SapSettings
from banksman_connectors.sap.shapes import Shapes

#: How many requests go into one batch.
BATCH = 50
_SAFE = ("GET", "HEAD")
# What a service answers that does not know the JSON form of a batch.
_UNKNOWN_FORM = (400, 404, 405, 406, 415, 501)


class SapApi(HttpApi):
    """One OData service of one SAP system, V4 or V2."""

    def __init__(self, base_url: str, *, settings: SapSettings, **parts: Any) -> None:
        super().__init__(base_url, **parts)
        self.settings = settings
        self._session = Session(self._open_session)
        self._shapes: Shapes | None = None
        self._form: Format | None = settings.batch
        self._lock: anyio.Lock | None = None

    async def shapes(self) -> Shapes:
        """The records of the service, from its `$metadata`; asked once.

        Raises:
            MalformedAnswer: it is no metadata document.
        """
        self._lock = self._lock or anyio.Lock()
        async with self._lock:
            if self._shapes is None:
                request = build("GET", self.at("$metadata"), headers={"accept": "application/xml"})
                answer = await self.fetch(request)
                self._shapes = Shapes(parse_metadata(answer.content, closed=self.settings.closed_fields))
        return self._shapes

    # Addresses and requests

    def at(self, path: str, options: Mapping[str, str | None] | None = None) -> str:
        """The absolute address of a path, with options and what the connection sets."""
        return f"{self.base_url}/{self.below(path, options)}"

    def below(self, path: str, options: Mapping[str, str | None] | None = None) -> str:
        """The same, relative to the service root."""
        own = {"sap-client": self.settings.sap_client, "sap-language": self.settings.sap_language}
        return f"{path}{query({**(options or {}), **own})}"

    def headers(self) -> dict[str, str]:
        """What every request says about the protocol."""
        if self._version is Version.V2:
            return {"accept": "application/json", "maxdataserviceversion": "2.0"}
        accept = "application/json;odata.metadata=minimal;IEEE754Compatible=true"
        return {"accept": accept, "odata-maxversion": "4.0"}

    @property
    def _version(self) -> Version:
        return self._shapes.service.version if self._shapes else Version.V4

    def writing(
        self,
        method: str,
        path: str,
        kind: StructuredType | None = None,
        fields: Mapping[str, Any] | None = None,
        *,
        etag: str | None = None,
    ) -> Request:
        """The request of a write. The ETag stays out of the approval: what is checked there is what was shown."""
        headers, content = self.headers(), b""
        if kind is not None and fields is not None:
            content, headers["content-type"] = self.content(kind, fields)
            headers["prefer"] = "return=representation"
        fresh = {"if-match": etag} if etag else {}
        return build(method, self.at(path), headers=headers, content=content, fresh_headers=fresh)

    def content(self, kind: StructuredType, fields: Mapping[str, Any]) -> tuple[bytes, str]:
        """The body of a write and its content type."""
        assert self._shapes is not None
        body, exact = self._shapes.body(kind, fields)
        return dump_json(body), f"application/json{';IEEE754Compatible=true' if exact else ''}"

    # Reads

    async def one(self, path: str, options: Mapping[str, str | None] | None = None) -> Any:
        """The JSON of one record or value."""
        await self.shapes()
        return read_answer(await self.fetch(build("GET", self.at(path, options), headers=self.headers())))

    async def many(self, path: str, options: Mapping[str, str | None], *, top: int | None, most: int) -> list[Any]:
        """The records of a list, page after page, until `top` are there."""
        await self.shapes()
        found: list[Any] = []
        if top == 0:
            return found
        request = build("GET", self.at(path, options), headers=self.headers())
        async for item in self.pages(request, Pages(), most=most):
            found.append(item)
            if len(found) == top:
                break
        return found

    async def each(self, paths: Sequence[str]) -> list[httpx.Response]:
        """The answers to several reads, in as few requests as the service allows."""
        await self.shapes()
        found: list[httpx.Response] = []
        for start in range(0, len(paths), BATCH):
            found += await self._read_batch(
                [Part(method="GET", url=self.below(p)) for p in paths[start : start + BATCH]]
            )
        return found

    async def batch_form(self) -> Format:
        """Which form of `$batch` the service takes; asked once, by reading its service document."""
        if self._form is None and self._version is Version.V2:
            self._form = "multipart"
        if self._form is None:
            await self._read_batch([Part(method="GET", url=self.below("$metadata"))])
        assert self._form is not None
        return self._form

    async def _read_batch(self, parts: Sequence[Part]) -> list[httpx.Response]:
        if self._form is None and self._version is Version.V4:
            response = await self._post_batch(parts, "json")
            self._form = "multipart" if response.status_code in _UNKNOWN_FORM else "json"
            if self._form == "json":
                return self._answers(response, len(parts))
        self._form = self._form or "multipart"
        return self._answers(await self._post_batch(parts, self._form), len(parts))

    async def _post_batch(self, parts: Sequence[Part], form: Format) -> httpx.Response:
        content, kind = read_batch(parts, form)
        # Without this, many services stop at the first read that fails.
        headers = {**self.headers(), "content-type": kind, "prefer": "odata.continue-on-error"}
        if form == "multipart":
            headers["accept"] = "multipart/mixed"
        return await self._send(build("POST", self.at("$batch"), headers=headers, content=content))

    def _answers(self, response: httpx.Response, count: int) -> list[httpx.Response]:
        self.errors.check(response, changes=False)
        found = answers_in(response)
        if len(found) != count:
            raise MalformedAnswer(f"{count} requests in the batch, and {len(found)} answers")
        return found

    # Writes

    async def changeset(self, parts: Sequence[Part]) -> Changeset:
        """The request that makes several writes at once, all or none."""
        form = await self.batch_form()
        headers = {**self.headers(), **({"accept": "multipart/mixed"} if form == "multipart" else {})}
        return changeset(self.at("$batch"), parts, form, headers)

    async def send(self, request: Request) -> httpx.Response:
        """See `HttpApi.send`. A batch answers 200 whatever became of it, so its inner answers are checked too."""
        response = await super().send(request)
        if isinstance(request, Changeset):
            try:
                inner = answers_in(response)
            except MalformedAnswer as error:
                raise OutcomeUnknown(f"{request.summary()} was answered, but {error.message}") from None
            # One that failed has undone all, whatever the others' answers say.
            for answer in sorted(inner, key=lambda item: -item.status_code):
                self.errors.check(answer, changes=True)
        return response

    async def _send(self, request: Request) -> httpx.Response:
        if request.method in _SAFE or self.settings.csrf is False:
            return await super()._send(request)
        session = await self._session.headers()
        response = await super()._send(_within(request, session))
        if refused(response):
            # The token had expired: nothing was carried out, so the same request goes once more with a new one.
            response = await super()._send(_within(request, await self._session.headers(instead_of=session)))
        return response

    async def _open_session(self, headers: Mapping[str, str]) -> httpx.Response:
        return await self.fetch(build("GET", self.at(""), headers={**self.headers(), **headers}))


def _within(request: Request, session: Mapping[str, str]) -> Request:
    return replace(request, fresh_headers={**request.fresh_headers, **session})


def open_sap(connector: Connector, connection: Connection, wiring: Wiring) -> SapApi:
    """The handle of a connection."""
    settings = connection.settings
    if not isinstance(settings, SapSettings):
        settings = SapSettings.model_validate(settings.model_dump())
    api: SapApi = open_http(connector, connection, wiring, api=SapApi, settings=settings)
    return api

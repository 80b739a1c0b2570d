"""The OAuth 2 flows: a token kept current for all callers of one connection.

Client credentials: RFC 6749, section 4.4. Refresh: RFC 6749, section 6. Bearer tokens: RFC 6750, section 2.1.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from functools import partial
from typing import Any

import httpx

from banksman.auth._exchange import Endpoint
from banksman.auth._flight import Flight
from banksman.auth._redaction import redact
from banksman.auth._secrets import Secret
from banksman.auth._steps import Call, Read, SteppedAuth, Steps
from banksman.auth._store import TokenStore
from banksman.auth._token import Token
from banksman.errors import BanksmanError, CallError, ConfigError

_log = logging.getLogger("banksman.auth")


class TokenAuth(SteppedAuth):
    """Sends a bearer token and renews it: before it expires, and once when it is refused with 401.

    One instance belongs to one connection and may be shared by any number of clients, threads and event loops: of
    those who find the token stale, one renews it and the others wait for the outcome, be it a token or an error.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._flight: Flight[Token] | None = None

    @abstractmethod
    def _obtain(self, cause: httpx.Request) -> Steps[Token]:
        """A token in place of the one in memory, which is stale. Only the leader of a flight runs it."""

    def _keep(self, token: Token) -> Steps[None]:
        """What else is done with a new token, before it is used."""
        yield from ()

    def steps(self, request: httpx.Request) -> Steps[None]:
        """The flow for one request. See `Endpoint.ask` for the errors it raises."""
        token, fetched = yield from self._current(request)
        _sign(request, token)
        response = yield request
        if response.status_code != 401 or token.is_vouched():
            return
        if fetched:
            token.vouch()
            return
        token.spoil()
        if not _repeatable(request):
            return
        yield Read(response)
        token, _ = yield from self._current(request)
        _sign(request, token)
        response = yield request
        if response.status_code == 401:
            token.vouch()

    def _current(self, cause: httpx.Request) -> Steps[tuple[Token, bool]]:
        """A token that may be sent, and whether it was fetched while this caller waited."""
        while True:
            with self._lock:
                token, flight = self._token, self._flight
                if token is not None and not token.is_stale():
                    return token, False
                lead = self._flight = flight or Flight()
            if flight is None:
                token = yield from self._lead(lead, cause)
                return token, not token.recalled
            yield flight.landing()
            outcome = flight.outcome
            if isinstance(outcome, BanksmanError):
                # A copy, because a traceback grows on the one that is raised.
                raise copy(outcome)
            if outcome is not None and not outcome.is_spoiled():
                return outcome, not outcome.recalled
            self._clear(flight)

    def _lead(self, flight: Flight[Token], cause: httpx.Request) -> Steps[Token]:
        try:
            token = yield from self._obtain(cause)
        except BaseException as error:
            self._clear(flight)
            flight.land(error if isinstance(error, CallError | ConfigError) else None)
            raise
        self._token = token
        try:
            yield from self._keep(token)
        finally:
            self._clear(flight)
            flight.land(token)
        return token

    def _clear(self, flight: Flight[Token]) -> None:
        """Ends a flight, unless another one has taken its place because this one seemed lost."""
        with self._lock:
            if self._flight is flight:
                self._flight = None


class ClientCredentialsAuth(TokenAuth):
    """Logs in as the client itself."""

    def __init__(self, endpoint: Endpoint, parameters: Mapping[str, str]) -> None:
        super().__init__(endpoint)
        self._parameters = dict(parameters)

    def _obtain(self, cause: httpx.Request) -> Steps[Token]:
        return (yield from self._endpoint.ask("client_credentials", self._parameters, cause))


class RefreshAuth(TokenAuth):
    """Renews by refresh token; where the server rotates it, the latest one is used and put into the store.

    The store is read before each renewal, so that processes that share it do not use up each other's token. A record
    counts only if it descends from the refresh token that the configuration names now: who logs in again starts anew.
    """

    def __init__(
        self, endpoint: Endpoint, refresh: Secret, parameters: Mapping[str, str], store: TokenStore | None
    ) -> None:
        super().__init__(endpoint)
        self._configured = refresh
        self._parameters = dict(parameters)
        self._store = store
        self._key = endpoint.connection or f"{endpoint.client_id} {endpoint.url}"
        self._lineage = hashlib.sha256(refresh.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._unsaved = False

    def _obtain(self, cause: httpx.Request) -> Steps[Token]:
        latest = self._token
        if self._store is not None and not self._unsaved:
            stored = self._recalled((yield Call(partial(self._store.get, self._key))))
            if stored and not stored.is_stale() and (latest is None or stored.access != latest.access):
                return stored
            latest = stored or latest
        refresh = (latest.refresh if latest else None) or self._configured
        parameters = {**self._parameters, "refresh_token": refresh.reveal()}
        token = yield from self._endpoint.ask("refresh_token", parameters, cause)
        return token if token.refresh else token.with_refresh(refresh)

    def _recalled(self, record: Mapping[str, Any] | None) -> Token | None:
        if record is None or record.get("lineage") != self._lineage:
            return None
        try:
            return Token(record, recalled=True)
        except ValueError as error:
            _log.warning("the stored token of %s is not used: %s", self._key, error)
            return None

    def _keep(self, token: Token) -> Steps[None]:
        if self._store is None or token.recalled:
            return
        # Until it is saved, memory is ahead of the store; also if this caller is cancelled meanwhile.
        self._unsaved = True
        try:
            yield Call(partial(self._store.put, self._key, {**token.record(), "lineage": self._lineage}))
        except Exception as error:
            _log.warning(
                "the renewed token of %s could not be saved and will be lost with this process: %s",
                self._key,
                redact(f"{type(error).__name__}: {error}"),
            )
        else:
            self._unsaved = False


def _sign(request: httpx.Request, token: Token) -> None:
    request.headers["Authorization"] = f"Bearer {token.access.reveal()}"


def _repeatable(request: httpx.Request) -> bool:
    """Whether the body is in memory; a stream that was sent once is used up."""
    try:
        request.content  # noqa: B018
    except httpx.RequestNotRead:
        return False
    return True

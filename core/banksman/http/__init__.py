"""The one I/O seam for HTTP: gate, throttle, retries, limits, paging, capture, record and replay, bridges for SDKs."""

from banksman.http.answers import ErrorTable, Fault, no_fault, read_json
from banksman.http.api import HttpApi, SyncApi
from banksman.http.exchange import Exchange, Observer
from banksman.http.limits import Limits, Throttle
from banksman.http.paging import Cursor, HeaderLink, NextLink, Offset, Paging, dig
from banksman.http.request import Request, build
from banksman.http.retry import RetryPolicy
from banksman.http.routes import Routes
from banksman.http.scrub import scrub, scrub_headers
from banksman.http.transport import SeamTransport

__all__ = [
    "Cursor",
    "ErrorTable",
    "Exchange",
    "Fault",
    "HeaderLink",
    "HttpApi",
    "Limits",
    "NextLink",
    "Observer",
    "Offset",
    "Paging",
    "Request",
    "RetryPolicy",
    "Routes",
    "SeamTransport",
    "SyncApi",
    "Throttle",
    "build",
    "dig",
    "no_fault",
    "read_json",
    "scrub",
    "scrub_headers",
]

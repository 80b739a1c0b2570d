"""A purchasing service like SAP's, for demos and tests: OData V4, stateful, on loopback.

It insists on what SAP insists on: a credential, a CSRF token with its cookie for every change, and the ETag of the
record that is changed (428 without, 412 when stale). Orders can be locked as if somebody had them open.

    with PurchasingSandbox() as sap:
        sap.url, sap.token      # base_url of a connection, and its bearer token or the password of BUYER
"""

from __future__ import annotations

import base64
import copy
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from banksman.testing.sandbox import Answer, Call, Sandbox
from banksman_connectors.sap.sandbox.model import KEYS, METADATA, REQUIRED, VALUES, orders
from banksman_connectors.sap.sandbox.query import BadFilter, parse_key, select

Row = dict[str, Any]


class Refused(Exception):
    """An answer that ends the handling of a call."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"error": {"code": code, "message": message}}, headers)


class PurchasingSandbox(Sandbox):
    """Twelve purchase orders with their items, and four suppliers.

    Attributes:
        locked: numbers of orders that somebody else has open; changing one is refused with `ME/006`.
        page: how many records a page of a list has.
        clock: what time it is; the stamps and ETags of changes come from it.
    """

    title = "SAP purchasing sandbox"
    user = "BUYER"

    def __init__(self, *, token: str | None = None, page: int = 5, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(token=token)
        self.tables = orders()
        self.locked: set[str] = set()
        self.page = page
        self._now = clock or (lambda: datetime.now(timezone.utc))
        self._last = datetime.min.replace(tzinfo=timezone.utc)
        self._csrf = secrets.token_urlsafe(16)
        self._cookie = secrets.token_urlsafe(16)

    def expire_session(self) -> None:
        """Make the current CSRF token worthless, as half an hour without a call does."""
        self._csrf, self._cookie = secrets.token_urlsafe(16), secrets.token_urlsafe(16)

    def order(self, key: str) -> Row | None:
        """One order as it is stored."""
        return self.tables["PurchaseOrders"].get((key,))

    def authorized(self, call: Call) -> bool:
        """Bearer token, or the user BUYER with the token as password."""
        pair = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        given = call.headers.get("authorization", "")
        return super().authorized(call) or secrets.compare_digest(given.encode(), f"Basic {pair}".encode())

    def refused(self, call: Call) -> Answer:
        """See `Sandbox.refused`."""
        return Answer(401, {"error": {"code": "401", "message": "Unauthorized"}}, {"www-authenticate": "Basic"})

    def handle(self, call: Call) -> Answer:
        """See `Sandbox.handle`."""
        try:
            if call.method not in ("GET", "HEAD"):
                self._check_session(call)
            return self._batch(call) if call.path == "/$batch" else self._route(call)
        except Refused as refused:
            return refused.answer
        except (BadFilter, ValueError, TypeError) as error:
            return Refused(400, "CX_SADL_INVALID", str(error)).answer

    def _check_session(self, call: Call) -> None:
        token = call.headers.get("x-csrf-token", "")
        cookie = f"SAP_SESSIONID_DEM_100={self._cookie}" in call.headers.get("cookie", "")
        if not cookie or not secrets.compare_digest(token.encode(), self._csrf.encode()):
            raise Refused(403, "403", "CSRF token validation failed", **{"x-csrf-token": "Required"})

    def _route(self, call: Call) -> Answer:
        if call.path in ("", "/"):
            return self._root(call)
        if call.path == "/$metadata":
            return Answer(200, METADATA.encode(), {"content-type": "application/xml"})
        name, _, rest = call.path.lstrip("/").partition("(")
        if name not in self.tables:
            raise Refused(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{name}'")
        if not rest:
            return self._create(name, call) if call.method == "POST" else self._list(name, call)
        inner, _, way = rest.partition(")/") if ")/" in rest else (rest.removesuffix(")"), "", "")
        key = parse_key(inner, KEYS[name])
        row = self.tables[name].get(key)
        if row is None:
            raise Refused(404, "404", "Not Found")
        if way:
            return self._parts(name, row, way)
        handlers = {"GET": self._get, "PATCH": self._patch, "DELETE": self._delete}
        if call.method not in handlers:
            raise Refused(405, "405", f"{call.method} is not allowed here")
        return handlers[call.method](name, key, row, call)

    def _root(self, call: Call) -> Answer:
        headers = {}
        if call.headers.get("x-csrf-token", "").lower() == "fetch":
            cookie = f"SAP_SESSIONID_DEM_100={self._cookie}; path=/; HttpOnly"
            headers = {"x-csrf-token": self._csrf, "set-cookie": cookie}
        return Answer(200, {"value": [{"name": name, "url": name} for name in self.tables]}, headers)

    # Reads

    def _shown(self, name: str, row: Row, expand: str = "") -> Row:
        out: Row = {"@odata.etag": etag(row)} if "modifiedAt" in row else {}
        out |= row
        if "items" in expand.split(",") and name == "PurchaseOrders":
            out["items"] = self._items(row["id"])
        return out

    def _items(self, order: str) -> list[Row]:
        return [row for row in self.tables["PurchaseOrderItems"].values() if row["order"] == order]

    def _get(self, name: str, key: tuple[str, ...], row: Row, call: Call) -> Answer:
        return Answer(200, self._shown(name, row, call.query.get("$expand", "")))

    def _parts(self, name: str, row: Row, way: str) -> Answer:
        if name != "PurchaseOrders" or way != "items":
            raise Refused(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{way}'")
        return Answer(200, {"@odata.context": "../$metadata#PurchaseOrderItems", "value": self._items(row["id"])})

    def _list(self, name: str, call: Call) -> Answer:
        if call.method != "GET":
            raise Refused(405, "405", f"{call.method} is not allowed here")
        rows = select(list(self.tables[name].values()), call.query)
        start = int(call.query.get("$skiptoken", "0"))
        page = rows[start : start + self.page]
        chosen = [field for field in call.query.get("$select", "").split(",") if field]
        expand = call.query.get("$expand", "")
        shown = [self._shown(name, row, expand) for row in page]
        always = ("@odata.etag", *expand.split(","))
        kept = [{f: row[f] for f in row if not chosen or f in chosen or f in always} for row in shown]
        body: Row = {"@odata.context": "$metadata", "value": kept}
        if start + self.page < len(rows):
            again = {**call.query, "$skiptoken": str(start + self.page)}
            body["@odata.nextLink"] = f"{name}?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in again.items())
        return Answer(200, body)

    # Changes

    def _check_change(self, name: str, row: Row, call: Call) -> None:
        order = row.get("id") if name == "PurchaseOrders" else row.get("order")
        if order in self.locked:
            raise Refused(400, "ME/006", f"User MILLER already processing purchase order {order}")
        if "modifiedAt" not in row:
            return
        given = call.headers.get("if-match")
        if given is None:
            raise Refused(428, "/IWBEP/CM_MGW_RT/194", "Precondition required")
        if given not in ("*", etag(row)):
            raise Refused(412, "/IWBEP/CM_MGW_RT/190", "State of the resource (entity) was already changed (If-Match)")

    def _stamp(self) -> str:
        """A time that no earlier change has: two within a millisecond would share an ETag."""
        self._last = max(self._now(), self._last + timedelta(milliseconds=1))
        return self._last.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _patch(self, name: str, key: tuple[str, ...], row: Row, call: Call) -> Answer:
        if name == "Suppliers":
            raise Refused(405, "405", "Suppliers cannot be changed here")
        self._check_change(name, row, call)
        fields = {f: v for f, v in call.json.items() if f not in KEYS[name]}
        row.update(_checked(name, fields))
        if "modifiedAt" in row:
            row |= {"modifiedAt": self._stamp(), "modifiedBy": self.user}
        return Answer(200, self._shown(name, row), {"etag": etag(row)} if "modifiedAt" in row else {})

    def _delete(self, name: str, key: tuple[str, ...], row: Row, call: Call) -> Answer:
        if name == "Suppliers":
            raise Refused(405, "405", "Suppliers cannot be deleted here")
        self._check_change(name, row, call)
        del self.tables[name][key]
        for item in self._items(row["id"]) if name == "PurchaseOrders" else []:
            del self.tables["PurchaseOrderItems"][item["order"], item["pos"]]
        return Answer(204)

    def _create(self, name: str, call: Call) -> Answer:
        if name == "Suppliers":
            raise Refused(405, "405", "Suppliers cannot be made here")
        given = dict(call.json)
        parts = given.pop("items", []) if name == "PurchaseOrders" else []
        if name == "PurchaseOrders" and not given.get("id"):
            given["id"] = str(max(int(key[0]) for key in self.tables[name] if key[0].isdigit()) + 1)
        row = self._insert(name, given)
        for part in parts:
            self._insert("PurchaseOrderItems", {**part, "order": row["id"]})
        shown = self._shown(name, row, "items" if parts else "")
        return Answer(201, shown, {"etag": etag(row)} if "modifiedAt" in row else {})

    def _insert(self, name: str, given: Row) -> Row:
        missing = [field for field in REQUIRED[name] if given.get(field) is None]
        if missing:
            raise Refused(400, "ASSERT_NOT_NULL", f"Provide the missing value of {', '.join(missing)}")
        key = tuple(str(given[part]) for part in KEYS[name])
        if key in self.tables[name]:
            raise Refused(409, "CX_ENTITY_ALREADY_EXISTS", "The entity already exists")
        row = {**dict.fromkeys(VALUES[name]), **_checked(name, given)}
        if name == "PurchaseOrders":
            now = self._stamp()
            row |= {"status": row["status"] or "open", "createdAt": now, "modifiedAt": now}
            row |= {"createdBy": self.user, "modifiedBy": self.user}
        self.tables[name][key] = row
        return row

    def _batch(self, call: Call) -> Answer:
        """Reads one by one; the writes of a group all or none."""
        kept = copy.deepcopy(self.tables)
        found: list[Row] = []
        failed = False
        for part in call.json["requests"]:
            split = urlsplit(part["url"])
            query = dict(pair.partition("=")[::2] for pair in split.query.split("&") if pair)
            inner = Call(
                part["method"],
                "/" + unquote(split.path),
                {unquote(name): unquote(value) for name, value in query.items()},
                {name.lower(): value for name, value in (part.get("headers") or {}).items()},
                json.dumps(part.get("body", {})).encode(),
            )
            try:
                answer = self._route(inner)
            except Refused as refused:
                answer = refused.answer
                failed = failed or "atomicityGroup" in part
            body = answer.body if not isinstance(answer.body, bytes) else answer.body.decode()
            found.append({"id": part["id"], "status": answer.status, "headers": dict(answer.headers), "body": body})
        if failed:
            self.tables = kept
        return Answer(200, {"responses": found})


def etag(row: Mapping[str, Any]) -> str:
    """The version of a record."""
    return f'W/"{row["modifiedAt"]}"'


def _checked(name: str, fields: Row) -> Row:
    """The fields in the form they are stored in.

    Raises:
        Refused: one does not exist, or its value does not fit.
    """
    out: Row = {}
    for field, value in fields.items():
        form = VALUES[name].get(field)
        if form is None:
            raise Refused(400, "CX_SADL_INVALID_PROPERTY", f"Property {field} does not exist")
        if isinstance(form, tuple):
            if value not in form:
                raise Refused(400, "ASSERT_ENUM", f"{field} has no such value")
            out[field] = value
        elif isinstance(form, int) and not isinstance(form, bool):
            out[field] = None if value is None else str(Decimal(str(value)).quantize(Decimal(1).scaleb(-form)))
        else:
            out[field] = value
    return out

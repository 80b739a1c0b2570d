"""Purchasing, three times over: SAP's own server in V4 and V2, and the sandbox."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests.peers import servers

from banksman_connectors.sap.sandbox import PurchasingSandbox

from .buyer import Buyer, open_buyer

_numbers = itertools.count(1)


@pytest.fixture
def sandbox() -> Iterator[PurchasingSandbox]:
    with PurchasingSandbox() as running:
        yield running


@pytest.fixture
async def erp(sandbox: PurchasingSandbox) -> AsyncIterator[Buyer]:
    """A buyer in the sandbox."""
    buyer = open_buyer(sandbox.url, (sandbox.user, sandbox.token))
    yield buyer
    await buyer.opened.aclose()


def _cap_service(server: servers.Cap, version: str) -> str:
    return server.v4 if version == "v4" else server.v2


@pytest.fixture(params=["v4", "v2"])
async def cap_buyer(request: pytest.FixtureRequest, cap: servers.Cap) -> AsyncIterator[Buyer]:
    """A buyer in SAP CAP, through V4 and through V2."""
    buyer = open_buyer(_cap_service(cap, request.param), cap.buyer)
    yield buyer
    await buyer.opened.aclose()


@pytest.fixture(params=["v4", "v2", "sandbox"])
async def buyer(request: pytest.FixtureRequest) -> AsyncIterator[Buyer]:
    """A buyer in each of them, for what holds everywhere."""
    if request.param == "sandbox":
        running = request.getfixturevalue("sandbox")
        found = open_buyer(running.url, (running.user, running.token))
    else:
        server = request.getfixturevalue("cap")
        found = open_buyer(_cap_service(server, request.param), server.buyer)
    yield found
    await found.opened.aclose()


@pytest.fixture
def number() -> str:
    """The number of an order that no other test has: the data of CAP is shared."""
    return f"46{next(_numbers):08}"


@pytest.fixture
def order(number: str) -> Callable[..., dict[str, Any]]:
    """The arguments of an order, with two items unless others are given."""

    def make(**fields: Any) -> dict[str, Any]:
        items = [
            {"pos": "00020", "material": "BOLT-M12", "quantity": "150", "unit": "EA", "price": "0.42"},
            {"pos": "00010", "material": "CASTING-77", "quantity": "2.5", "unit": "EA", "deliveryDate": "2026-03-22"},
        ]
        head = {"id": number, "supplier": "17300001", "plant": "1010", "currency": "EUR", "netAmount": "524.25"}
        return {**head, "items": items, **fields}

    return make

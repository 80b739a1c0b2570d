"""Banksman: the connector SDK and integration hub through which AI agents work in a company's systems.

Everything public is here, loaded on first use; the modules behind it are private.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from banksman._version import __version__

if TYPE_CHECKING:
    from banksman._action import Action, BoundCall, action, write
    from banksman._change import (
        ABSENT,
        UNSURE,
        Change,
        Compensation,
        Irreversible,
        Money,
        NativeKey,
        Receipt,
        Sent,
        Unknowable,
    )
    from banksman._connector import (
        Connection,
        Connector,
        Environment,
        OpenConnection,
        Settings,
        Wiring,
        open_http,
    )
    from banksman._effect import Effect
    from banksman._record import PENDING, Closed, Record

_WHERE = {
    "_action": ("Action", "BoundCall", "action", "write"),
    "_change": (
        "ABSENT",
        "UNSURE",
        "Change",
        "Compensation",
        "Irreversible",
        "Money",
        "NativeKey",
        "Receipt",
        "Sent",
        "Unknowable",
    ),
    "_connector": (
        "Connection",
        "Connector",
        "Environment",
        "OpenConnection",
        "Settings",
        "Wiring",
        "open_http",
    ),
    "_effect": ("Effect",),
    "_record": ("PENDING", "Closed", "Record"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "ABSENT",
    "PENDING",
    "UNSURE",
    "Action",
    "BoundCall",
    "Change",
    "Closed",
    "Compensation",
    "Connection",
    "Connector",
    "Effect",
    "Environment",
    "Irreversible",
    "Money",
    "NativeKey",
    "OpenConnection",
    "Receipt",
    "Record",
    "Sent",
    "Settings",
    "Unknowable",
    "Wiring",
    "__version__",
    "action",
    "open_http",
    "write",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'banksman' has no attribute {name!r}")
    value = getattr(import_module(f"banksman.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

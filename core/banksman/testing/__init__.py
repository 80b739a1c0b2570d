"""What connector authors test with: sandboxes, recordings, and the contract suite; loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from banksman.testing.contract import ContractBroken, contract_suite
    from banksman.testing.doors import LeftTheSeam, offline
    from banksman.testing.record import record_contract
    from banksman.testing.sandbox import Answer, Call, Sandbox

_MODULE_OF = {
    "Answer": "sandbox",
    "Call": "sandbox",
    "ContractBroken": "contract",
    "LeftTheSeam": "doors",
    "Sandbox": "sandbox",
    "contract_suite": "contract",
    "offline": "doors",
    "record_contract": "record",
}

__all__ = [
    "Answer",
    "Call",
    "ContractBroken",
    "LeftTheSeam",
    "Sandbox",
    "contract_suite",
    "offline",
    "record_contract",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'banksman.testing' has no attribute {name!r}")
    value = getattr(import_module(f"banksman.testing.{module}"), name)
    globals()[name] = value
    return value

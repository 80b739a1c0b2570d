"""Which systems and actions there are: connectors by name, and the catalog of what descriptions say.

`Registry` knows the connectors. The catalog file is read by `catalog.store` and written by `catalog.build`; what goes
into it is found by `catalog.sources` and compiled by `catalog.compile`. Nothing is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from banksman.catalog._registry import GROUP, Registry

__all__ = ["GROUP", "Registry"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from banksman.catalog import _registry

        return getattr(_registry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Which systems and actions there are."""

from banksman.catalog._registry import GROUP, Registry

__all__ = ["GROUP", "Registry"]

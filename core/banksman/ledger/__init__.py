"""The write-ahead record of everything a run did, and the chain that shows that nobody changed it."""

from banksman.ledger._entry import Draft, Entry, broken_links, chained, link, origin
from banksman.ledger._ledger import Ledger, Store

__all__ = ["Draft", "Entry", "Ledger", "Store", "broken_links", "chained", "link", "origin"]

"""Search in the catalog: requests in words to actions, in milliseconds, without a service.

build("catalog.db", documents)
with Search("catalog.db") as search:
    hits = search.find("open a ticket and tell the team", limit=10, systems=["jira", "slack"])
text, ids = render(hits, lean, full, tokens=1500)
"""

from banksman.catalog.search._budget import count_tokens, render
from banksman.catalog.search._build import build
from banksman.catalog.search._document import Hit, SearchDocument
from banksman.catalog.search._search import Search

__all__ = ["Hit", "Search", "SearchDocument", "build", "count_tokens", "render"]

"""`banksman init`: a configuration to begin with."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.errors import UsageError

if TYPE_CHECKING:
    from banksman.cli.render.page import Page

_CONFIG = """\
# Which accounts of which systems Banksman may use. `banksman connections test` tries them.
#
# Secrets are never written here, only where they are:
#   env:NAME             an environment variable
#   file:PATH            a file of which only you can read the content
#   keyring:SERVICE/NAME the system's keyring

# Whom runs and approvals are recorded for; by default your login name.
# user: ann

# Where runs are kept: files in this folder, or one PostgreSQL for many workers.
# home: .banksman
# database: postgresql://banksman@db.example.com/banksman

connections:{connections}
"""
_COMMENTED = """\
 {}
  # Name a connection SYSTEM:ACCOUNT. `banksman connectors list` shows the systems and their settings.
  #
  # sap:s4-prod:
  #   environment: production       # production (if unsaid), sandbox or test
  #   base_url: https://s4.example.com/sap/opu/odata4/purchasing
  #   auth: {kind: basic, username: agent, password: "env:SAP_PASSWORD"}
  #   unattended: false             # whether `--yes` may approve here; in production not, unless you say so
  #
  # slack:acme:
  #   environment: production
  #   auth: {kind: bearer, token: "env:SLACK_TOKEN"}
  #
  # sql:orders:
  #   environment: test
  #   url: postgresql://db.example.com/orders
  #   auth: {kind: basic, username: agent, password: "env:ORDERS_PASSWORD"}"""
_EXAMPLE = """
  # A database in the file beside this one, to try things out. Delete it when you have your own.
  sql:example:
    environment: test
    url: {url}"""
_RUNBOOK = """\
# Try: banksman run example.yaml --preview
name: example
goal: Give every late order a new date, and note it in the journal

inputs:
  days:
    type: integer
    default: 2
    description: Orders that are late by at least so many days.

connections:
  orders: sql:example

steps:
  late:
    description: A read; it goes out in the preview, too.
    action: sql.query
    on: orders
    with:
      statement: SELECT id, customer, date(due, '+7 days') AS new_due FROM orders WHERE late >= :days ORDER BY id
      parameters:
        days: ${inputs.days}

  move:
    description: One write for each of them. Nothing is sent before you have approved it.
    action: sql.update
    on: orders
    for_each: ${late.rows}
    with:
      table: orders
      key:
        id: ${each.id}
      values:
        due: ${each.new_due}
        late: 0

  note:
    action: sql.insert
    on: orders
    for_each: ${late.rows}
    after: [move]
    with:
      table: journal
      rows:
        - order_id: ${each.id}
          text: ${each.customer} gets it on ${each.new_due}

ensures:
  - ${length(move) == length(late.rows)}
"""
_DATABASE = """
CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, due TEXT NOT NULL, late INTEGER NOT NULL);
CREATE TABLE journal (id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, text TEXT NOT NULL);
INSERT INTO orders VALUES
    ('A-1001', 'Northwind', '2026-03-02', 0),
    ('A-1002', 'Hansen & Sons', '2026-03-03', 4),
    ('A-1003', 'Lumen', '2026-03-09', 2);
"""


async def init(
    *, example: Annotated[bool, Parameter(negative=())] = False, session: Annotated[Session, Parameter(parse=False)]
) -> Exit:
    """Write a commented banksman.yaml into this folder. Nothing is ever written over.

    Parameters
    ----------
    example
        Also a runbook and a small database to try it on, all in files of this folder.
    """
    from banksman.cli.commands import write_new
    from banksman.config import FILE

    folder = Path.cwd()
    config, runbook, database = folder / FILE, folder / "example.yaml", folder / "example.db"
    wanted = [config, runbook, database] if example else [config]
    if there := [path.name for path in wanted if path.exists()]:
        raise UsageError(f"{', '.join(there)} exists here; nothing was written", hint="Choose another folder.")
    connections = _EXAMPLE.format(url=f"sqlite:///{database}") if example else _COMMENTED
    write_new(config, _CONFIG.replace("{connections}", connections))
    if example:
        write_new(runbook, _RUNBOOK)
        _make_database(database)
    steps = _next(example)
    written = [path.name for path in wanted]

    def draw(page: Page) -> None:
        page.add(f"Written: {', '.join(written)}")
        for place, step in enumerate(steps):
            page.add("Next: " if not place else "      ", step)

    session.show({"written": written, "next": steps}, draw)
    return Exit.DONE


def _make_database(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        database.executescript(_DATABASE)
    finally:
        database.close()


def _next(example: bool) -> list[str]:
    from importlib.util import find_spec

    if not example:
        return [
            "write your connections into banksman.yaml",
            "banksman connections test",
            "banksman run RUNBOOK --preview",
        ]
    extra = [] if find_spec("sqlglot") else ["pip install 'banksman[sql]'"]
    return [*extra, "banksman run example.yaml --preview", "banksman run example.yaml", "banksman runs undo RUN"]

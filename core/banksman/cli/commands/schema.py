"""`banksman schema`: what editors complete and check runbooks with."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session

app = App(name="schema", help="Print JSON Schemas for editors.", version_flags=[])


@app.command
async def runbook(*, session: Annotated[Session, Parameter(parse=False)]) -> Exit:
    """Print the JSON Schema of a runbook; docs/runbook.schema.json is the same."""
    from banksman.plan import json_schema

    session.document(json_schema())
    return Exit.DONE

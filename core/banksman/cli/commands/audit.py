"""`banksman audit`: a run as one file that verifies offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session

if TYPE_CHECKING:
    from banksman.audit import Report
    from banksman.cli.render.page import Page

app = App(name="audit", help="Export a run as one file, and verify such a file.", version_flags=[])
Flag = Parameter(negative=())
Hidden = Parameter(parse=False)


@app.command(name="export")
async def export_run(
    run: str,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    session: Annotated[Session, Hidden],
) -> Exit:
    """Export a run as JSON lines: a header, then its entries exactly as they were hashed.

    Parameters
    ----------
    run
        Its id; the beginning is enough.
    file
        A file that is not there yet; `-` is standard output. By default RUN.audit.jsonl.
    """
    from banksman.audit import export, is_finished
    from banksman.cli.commands import write_new

    async with session.hub() as hub:
        state = hub.state(run)
        entries = hub.ledger.entries(state.id)
    text = "".join(f"{line}\n" for line in export(state.id, entries))
    if file is not None and str(file) == "-":
        sys.stdout.write(text)
        return Exit.DONE
    path = file or Path(f"{state.id}.audit.jsonl")
    write_new(path, text)
    finished = is_finished(entries)
    document = {
        "run": state.id, "file": str(path), "entries": len(entries), "head": entries[-1].hash, "finished": finished,
    }  # fmt: skip

    def draw(page: Page) -> None:
        page.add(f"{path}: {len(entries):,} entries{'' if finished else ', unfinished: the run is ' + state.status}")
        page.add(f"head {entries[-1].hash}", indent=2)
        page.add("Keep the head elsewhere: it shows whether the file was cut off or made anew.", indent=2, style="dim")

    session.show(document, draw)
    return Exit.DONE


@app.command(name="verify")
async def verify_file(
    file: Path, /, *, unfinished: Annotated[bool, Flag] = False, session: Annotated[Session, Hidden]
) -> Exit:
    """Verify an exported file. Needs no configuration, no ledger and no network.

    Parameters
    ----------
    file
        What `banksman audit export` wrote.
    unfinished
        Let the file of a run that was still going on pass.
    """
    from banksman.audit import verify

    report = verify(file)
    document = {
        "run": report.run, "holds": report.holds, "finished": report.finished, "entries": report.count,
        "writes": report.writes, "head": report.head, "problems": list(report.problems),
    }  # fmt: skip
    session.show(document, lambda page: _draw(page, file, report))
    return Exit.DONE if report.holds and (report.finished or unfinished) else Exit.FAILED


def _draw(page: Page, file: Path, report: Report) -> None:
    from rich.text import Text

    from banksman.cli.render.text import outside

    verdict = Text("holds", "bold green") if report.holds else Text("DOES NOT HOLD", "bold red")
    page.add(outside(str(file)), ": ", verdict)
    page.add(outside(f"run {report.run}: {report.count:,} entries, {report.writes:,} writes sent"), indent=2)
    page.add(outside(f"head {report.head}"), indent=2)
    if not report.finished:
        page.add(Text("unfinished: ", "bold yellow"), "nothing here shows how the run ended", indent=2)
    for problem in report.problems:
        page.add(Text("- ", "red"), outside(problem), indent=2)

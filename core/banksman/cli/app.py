"""The commands put together, and what every invocation has in common: global options, errors, exit codes."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter

from banksman.cli.commands import actions, approvals, audit, connections, connectors, runs, schema
from banksman.cli.commands.call import call
from banksman.cli.commands.init import init
from banksman.cli.commands.run import run as run_command
from banksman.cli.commands.undo import undo
from banksman.cli.commands.worker import worker
from banksman.cli.exits import Exit, of_error
from banksman.cli.session import Session
from banksman.errors import BanksmanError, UsageError

app = App(
    name="banksman",
    help="Preview, approve, run, prove and undo writes across systems.",
    version_flags=[],
    group_parameters=Group("Options of every command", sort_key=9),
)
for _command in (init, run_command, call, worker):
    app.command(_command)
runs.app.command(undo)
for _group in (runs, approvals, audit, connections, connectors, actions, schema):
    app.command(_group.app)

_Flag = Parameter(negative=())


def run(tokens: Sequence[str]) -> int:
    """Carry out one command line; its exit code."""
    # A terminal that cannot show a letter gets an escape, not a crash.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    session = Session(json="--json" in tokens, verbose="--verbose" in tokens)
    try:
        return int(_dispatch(list(tokens), session))
    except BrokenPipeError:
        # Whoever read the output has gone; so has the reason to print more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except CycloptsError as error:
        session.complain(_usage(error))
        return Exit.USAGE
    except (Exception, KeyboardInterrupt) as error:
        if session.verbose and not isinstance(error, BanksmanError):
            _show_trace(error)
        if not isinstance(error, KeyboardInterrupt):
            session.complain(error)
        return of_error(type(error))


def _dispatch(tokens: list[str], session: Session) -> Exit:
    @app.meta.default
    def command(
        *rest: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        config: Path | None = None,
        database: str | None = None,
        json: Annotated[bool, _Flag] = False,
        verbose: Annotated[bool, _Flag] = False,
    ) -> Any:
        """Carry out a command.

        Parameters
        ----------
        config
            The configuration file; by default banksman.yaml here or above, or your own.
        database
            A PostgreSQL address, postgresql://..., in place of files.
        json
            Print JSON and nothing else: one document, or one line for each thing that happens.
        verbose
            Tell what goes over the wire, and where a fault arose.
        """
        session.config_file, session.database, session.json, session.verbose = config, database, json, verbose
        chosen, bound, ignored = app.parse_args(rest, print_error=False, exit_on_error=False)
        given = {"session": session} if "session" in ignored else {}
        _prepare_logs(verbose)
        outcome = chosen(*bound.args, **bound.kwargs, **given)
        return asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome

    outcome = app.meta(tokens, print_error=False, exit_on_error=False, result_action="return_value")
    return outcome if isinstance(outcome, Exit) else Exit.DONE


def _usage(error: CycloptsError) -> UsageError:
    return UsageError(str(error).strip(), hint="--help shows what there is.")


def _prepare_logs(verbose: bool) -> None:
    import logging
    import warnings

    if not verbose:
        warnings.simplefilter("ignore")
        return
    from banksman.http.scrub import ScrubbingFilter

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(ScrubbingFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(name)s: %(message)s")


def _show_trace(error: BaseException) -> None:
    import traceback

    from banksman.cli.render.text import visible
    from banksman.http.scrub import scrub

    for line in "".join(traceback.format_exception(error)).splitlines():
        sys.stderr.write(visible(scrub(line)) + "\n")

"""The command `banksman`. Importing this loads next to nothing; the version is told before anything else is."""

from __future__ import annotations

import sys


def main() -> None:
    """What the console script calls."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from banksman._version import __version__

        sys.stdout.write(f"banksman {__version__}\n")
        return
    from banksman.cli.app import run

    sys.exit(run(sys.argv[1:]))

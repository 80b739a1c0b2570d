"""Draws the preview of this example as `docs/preview.svg`, in the colours of a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import CONFIG, HERE, command
from feed import make_sqlite
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from banksman_connectors.sap.sandbox import PurchasingSandbox
from banksman_connectors.slack.sandbox import SlackSandbox

WIDTH = 92


def main() -> None:
    """Run the preview as a user would, and draw what it printed."""
    with tempfile.TemporaryDirectory() as name, PurchasingSandbox() as sap, SlackSandbox() as slack:
        folder = Path(name)
        make_sqlite(folder / "feed.db")
        config = folder / "banksman.yaml"
        config.write_text(CONFIG.format(folder=folder, sap=sap.url, slack=slack.api_url), encoding="utf-8")
        environment = {
            **os.environ,
            "BANKSMAN_CONFIG": str(config),
            "DEMO_SAP_TOKEN": sap.token,
            "DEMO_SLACK_TOKEN": slack.token,
            "COLUMNS": str(WIDTH),
            "FORCE_COLOR": "1",
            "TERM": "xterm-256color",
        }
        done = subprocess.run(
            [command(), "run", str(HERE / "runbook.yaml"), "--preview"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
    console = Console(record=True, width=WIDTH, file=sys.stderr, force_terminal=True)
    console.print("$ banksman run runbook.yaml --preview", style="bold")
    console.print(Text.from_ansi(done.stdout))
    picture = HERE.parents[1] / "docs" / "preview.svg"
    drawn = console.export_svg(title="banksman", theme=MONOKAI, unique_id="preview")
    # A picture in a README fetches no fonts from elsewhere.
    drawn = re.sub(r"@font-face\s*\{.*?\}\s*", "", drawn, flags=re.DOTALL)
    picture.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()

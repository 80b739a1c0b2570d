"""The main job, end to end, without credentials: `make demo`.

The systems are embedded: a SQLite file as the carriers' feed, and small servers on loopback that stand in for SAP and
Slack and keep state. Everything else is what a user does: a configuration, a runbook, and the `banksman` command.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from feed import make_sqlite

from banksman_connectors.sap.sandbox import PurchasingSandbox
from banksman_connectors.slack.sandbox import BUYERS, SlackSandbox

HERE = Path(__file__).parent
CONFIG = """\
connections:
  sql:logistics:
    environment: sandbox
    url: sqlite:///{folder}/feed.db
  sap:s4:
    environment: sandbox
    base_url: {sap}
    auth: {{kind: bearer, token: "env:DEMO_SAP_TOKEN"}}
  slack:works:
    environment: sandbox
    base_url: {slack}
    auth: {{kind: bearer, token: "env:DEMO_SLACK_TOKEN"}}
"""


def main() -> int:
    """Run the demo; the exit code is that of the first command that fails."""
    with (
        tempfile.TemporaryDirectory(prefix="banksman-demo-") as name,
        PurchasingSandbox() as sap,
        SlackSandbox() as slack,
    ):
        folder = Path(name)
        make_sqlite(folder / "feed.db")
        config = folder / "banksman.yaml"
        config.write_text(CONFIG.format(folder=folder, sap=sap.url, slack=slack.api_url), encoding="utf-8")
        environment = {
            **os.environ,
            "BANKSMAN_CONFIG": str(config),
            "DEMO_SAP_TOKEN": sap.token,
            "DEMO_SLACK_TOKEN": slack.token,
        }
        say("The systems: a carriers' feed in SQLite, SAP purchasing, a Slack workspace.")
        show(sap, slack)
        runbook = str(HERE / "runbook.yaml")

        say("1. Preview: what would change, in every system. Nothing happens.")
        banksman(["run", runbook, "--preview"], environment)
        show(sap, slack)

        say("2. Run: the same preview, approved by flag because these connections are sandboxes.")
        banksman(["run", runbook, "--yes"], environment)
        show(sap, slack)

        say("3. The ledger: every effect, intended before it was sent and confirmed after.")
        run = latest_run(environment)
        banksman(["runs", "show", run], environment)
        banksman(["audit", "export", run, str(folder / "run.jsonl")], environment)
        banksman(["audit", "verify", str(folder / "run.jsonl")], environment)

        say("4. Undo: the inverse of the run, previewed and run the same way.")
        banksman(["runs", "undo", run, "--yes"], environment)
        show(sap, slack)
    return 0


def say(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def banksman(arguments: Sequence[str], environment: dict[str, str]) -> None:
    """Run a command as a user would; stop the demo where it fails."""
    print(f"$ banksman {' '.join(shorten(argument) for argument in arguments)}", flush=True)
    done = subprocess.run([command(), *arguments], env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def latest_run(environment: dict[str, str]) -> str:
    """The id of the run that was just made."""
    import json

    listed = subprocess.run([command(), "runs", "list", "--json"], env=environment, check=True, capture_output=True)
    return str(json.loads(listed.stdout)["runs"][0]["id"])


def command() -> str:
    """The `banksman` command beside this Python."""
    return str(Path(sys.executable).parent / "banksman")


def shorten(argument: str) -> str:
    """Paths of this machine are of no interest."""
    return Path(argument).name if os.sep in argument else argument


def show(sap: PurchasingSandbox, slack: SlackSandbox) -> None:
    """What the systems themselves hold now."""
    dates = []
    for key in ("4500000003", "4500000005", "4500000007", "4500000012"):
        order = sap.order(key) or {}
        dates.append(f"{key} {order.get('deliveryDate')} ({order.get('status')})")
    print(f"   SAP:   {', '.join(dates)}")
    print(f"   Slack: {len(slack.texts(BUYERS))} message(s) in #buyers", flush=True)


if __name__ == "__main__":
    sys.exit(main())

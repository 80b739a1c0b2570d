"""A process that appends to one run as fast as it can: `python writer.py WHERE RUN COUNT`."""

from __future__ import annotations

import sys
from pathlib import Path

from banksman.ledger import Draft, Ledger

where, run, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
ledger = Ledger.open(where if "://" in where else Path(where))
for number in range(count):
    ledger.append_now(Draft(run, "call.read", f"c{number}", {"output": number}))
ledger.close()

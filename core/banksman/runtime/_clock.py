"""How long ago something was, also if another process noted it: nobody can set this clock."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from banksman._canonical import Plain


@cache
def _where() -> str:
    """Which clock this is: that of one machine since it was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def reading() -> dict[str, Plain]:
    """What the clock shows, for the ledger."""
    return {"clock": _where(), "up": time.monotonic()}


def passed(noted: Mapping[str, Any]) -> float:
    """Seconds since a reading was noted, or less; 0 where another machine noted it, since its clock may be anywhere."""
    if noted.get("clock") != _where():
        return 0.0
    return max(0.0, time.monotonic() - float(noted["up"]))

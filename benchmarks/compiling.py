"""Compiles sources into a catalog in a process of its own, whose time and memory are measured: PATH SOURCE..."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence

from banksman.catalog.adding import add
from banksman.catalog.build import replacing
from banksman.catalog.sources import descriptions
from described import places


def compile_sources(sources: Sequence[str], path: str) -> None:
    """Compile, and print what came of it as JSON."""
    where = places()
    started = time.perf_counter()
    rows, reasons, refused, unusable = [], Counter[str](), 0, []
    with replacing(path, keep=False, index=False) as builder:
        for source in sources:
            begun, files, operations = time.perf_counter(), 0, 0
            for added in add(builder, descriptions(source, places=where)):
                files += 1
                if added.report is None:
                    unusable.append(str(added.error))
                    continue
                operations += added.report.operations
                refused += len(added.report.refused)
                reasons.update(refusal.reason for refusal in added.report.refused)
            rows.append([source, files, operations, time.perf_counter() - begun])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"rows": rows, "refused": refused, "reasons": reasons.most_common(10), "unusable": unusable[:20]}
    print(json.dumps({**told, "seconds": seconds, "peak_mb": peak, "operations": sum(row[2] for row in rows)}))


if __name__ == "__main__":
    compile_sources(sys.argv[2:], sys.argv[1])

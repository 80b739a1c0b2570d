"""Compiles all descriptions there are into one catalog, and GitHub's beside FastMCP: `make bench-catalog`.

`--sources` takes some of them, `--keep PATH` leaves the catalog there. The last line has the figures: `operations`,
`refused_share`, `seconds`, `peak_mb` (of the compiling process), `file_mb`, `github_speed_vs_fastmcp` (how many times
as fast as its load-and-list of the same file), `github_memory_vs_fastmcp` (share of its peak memory), and
`open_and_call_ms` (open the whole catalog, take one entry with its schema and provider, bind, call a loopback server).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from banksman.catalog.sources import descriptions, known_packages
from banksman.catalog.store import Catalog
from described import fastmcp, places
from report import finish, table

COMPILING = str(Path(__file__).parent / "compiling.py")
ROUNDS = 3
CALLED = "github.issues.create"

FASTMCP = """
import asyncio, json, resource, sys, time
import httpx2
from fastmcp import FastMCP
started = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    spec = json.load(file)
server = FastMCP.from_openapi(openapi_spec=spec, client=httpx2.AsyncClient(base_url="https://api.github.com"))
loaded = time.perf_counter()
tools = asyncio.run(server.list_tools())
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"operations": len(tools), "seconds": seconds, "peak_mb": peak, "load": loaded - started}))
"""


def child(*arguments: str, path: str = "") -> dict[str, Any]:
    """Run Python, and read the JSON it prints last."""
    environment = {**os.environ, "PYTHONPATH": path or os.pathsep.join(sys.path[1:])}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def github(folder: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """GitHub's description compiled here and loaded and listed by FastMCP, in turns."""
    (description,) = descriptions("npm:@octokit/openapi", places=places())
    catalog = str(Path(folder) / "github.sqlite")
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(child(COMPILING, catalog, "npm:@octokit/openapi"))
        theirs.append(child("-c", FASTMCP, str(description.path), path=fastmcp()))
    return ours, theirs


def open_and_call(path: str) -> list[float]:
    """Milliseconds for each of 30 calls, the catalog opened anew for each."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b'{"number": 1}')

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    taken = []
    given = {"owner": "o", "repo": "r", "title": "A title"}
    for _ in range(30):
        started = time.perf_counter()
        with Catalog(path) as catalog:
            entry = catalog.entry(CALLED)
            catalog.input_schema(entry)
            catalog.provider(entry.system)
        target, body = entry.path, {}
        for argument in entry.arguments:
            if argument.name in given and argument.place == "path":
                target = target.replace(f"{{{argument.wire}}}", given[argument.name])
            elif argument.name in given:
                body[argument.wire] = given[argument.name]
        connection = HTTPConnection("127.0.0.1", server.server_port)
        connection.request(entry.method, target, json.dumps(body), {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read()) == {"number": 1}
        connection.close()
        taken.append((time.perf_counter() - started) * 1000)
    server.shutdown()
    return taken


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", nargs="*", default=known_packages())
    parser.add_argument("--keep", help="leave the catalog at this path")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or str(Path(folder) / "catalog.sqlite")
        ours, theirs = github(folder)
        whole = child(COMPILING, path, *options.sources)
        size = Path(path).stat().st_size / 2**20
        calls = open_and_call(path) if "npm:@octokit/openapi" in options.sources else []
    table("compiled", ["source", "descriptions", "operations", "seconds"], whole["rows"])
    if whole["reasons"] or whole["unusable"]:
        table("refused", ["times", "reason"], [[times, reason[:100]] for reason, times in whole["reasons"]])
        for error in whole["unusable"]:
            print(f"unusable: {error[:200]}")

    def middle(runs: list[dict[str, Any]], key: str) -> float:
        return statistics.median(run[key] for run in runs)

    rows = [
        [name, int(middle(runs, "operations")), middle(runs, "seconds"), middle(runs, "peak_mb")]
        for name, runs in (("banksman compile", ours), ("FastMCP load and list", theirs))
    ]
    table(f"GitHub's description, medians of {ROUNDS}", ["", "operations", "seconds", "peak MB"], rows)
    finish(
        {
            "operations": whole["operations"],
            "refused_share": whole["refused"] / max(1, whole["refused"] + whole["operations"]),
            "seconds": whole["seconds"],
            "peak_mb": whole["peak_mb"],
            "file_mb": size,
            "github_speed_vs_fastmcp": middle(theirs, "seconds") / middle(ours, "seconds"),
            "github_memory_vs_fastmcp": middle(ours, "peak_mb") / middle(theirs, "peak_mb"),
            "open_and_call_ms": statistics.median(calls) if calls else None,
        }
    )


if __name__ == "__main__":
    main()

"""The systems behind the toy connectors, and the command run against them as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from banksman.testing.sandbox import Answer, Call, Sandbox

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "banksman.cli"]
ENTRY_POINTS = (
    "[banksman.connectors]\nnotes = toyshop:notes\nchat = toyshop:chat\nbroken = toyshop_that_is_not_there:x\n"
)


class Shop(Sandbox):
    """Notes and messages, kept in memory."""

    title = "toyshop"

    def __init__(self) -> None:
        super().__init__(token="toyshop-token-that-nobody-prints")
        self.notes: dict[int, dict[str, Any]] = {}
        self.messages: dict[int, dict[str, Any]] = {}
        self.last = 0
        #: Whether the system stores texts shortened by a letter, without saying so.
        self.trims = False

    def add(self, text: str, author: str = "") -> int:
        self.last += 1
        self.notes[self.last] = {"id": self.last, "text": text, "author": author}
        return self.last

    def texts(self) -> list[str]:
        return [note["text"] for note in self.notes.values()]

    def writes(self) -> list[Call]:
        return [call for call in self.calls if call.method != "GET"]

    def handle(self, call: Call) -> Answer:
        _, kind, *rest = call.path.split("/")
        held = self.notes if kind == "notes" else self.messages
        if not rest:
            if call.method == "GET":
                return Answer(200, list(held.values()))
            self.last += 1
            held[self.last] = {"id": self.last, **call.json}
            return Answer(201, held[self.last])
        record = held.get(int(rest[0])) if rest[0].isdigit() else None
        if record is None:
            return Answer(404, {"message": f"there is no {kind[:-1]} {rest[0]}"})
        if call.method == "DELETE":
            return Answer(200, held.pop(record["id"]))
        if call.method == "PUT":
            if call.json["text"] == "refused":
                return Answer(422, {"message": "this text is not allowed"})
            record.update(call.json)
            if self.trims:
                record["text"] = record["text"][:-1]
        return Answer(200, record)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one document that it is."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """Standard error as the JSON document that it is."""
        return json.loads(self.err)


@dataclass
class Desk:
    """A folder with a configuration, and the command in it."""

    folder: Path
    shop: Shop
    environment: Mapping[str, str] = field(default_factory=dict)

    def configure(self, **environments: str) -> None:
        """Write the configuration; `production="production"` adds `notes:production`."""
        lines = ["connections:"]
        for name in ("notes", "chat"):
            for account, environment in {"acme": "test", **environments}.items():
                lines += [
                    f"  {name}:{account}:",
                    f"    environment: {environment}",
                    f"    base_url: {self.shop.url}",
                    '    auth: {kind: bearer, token: "env:TOYSHOP_TOKEN"}',
                ]
        (self.folder / "banksman.yaml").write_text("\n".join([*lines, "user: olga", ""]), encoding="utf-8")

    def runbook(self, text: str, name: str = "plan.yaml") -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[Any]:
        return subprocess.Popen([*COMMAND, *arguments], cwd=self.folder, env=dict(self.environment), **more)

    def run(self, *arguments: str, **environment: str) -> Done:
        """The command, away from any terminal."""
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def latest(self) -> str:
        """The id of the newest run."""
        return str(self.run("runs", "list", "--json").json["runs"][0]["id"])


def make_desk(folder: Path, shop: Shop) -> Desk:
    """A folder whose Python finds the toy connectors by their entry points, as if they had been installed."""
    site = folder / "site"
    shutil.copytree(Path(__file__).parent / "toyshop", site / "toyshop")
    info = site / "toyshop-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toyshop\nVersion: 3.1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    roots = [site, *(ROOT / part for part in ("core", "connectors", "schemas"))]
    work = folder / "work"
    work.mkdir()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.pathsep.join(map(str, roots)),
        "TOYSHOP_TOKEN": shop.token, "TOYSHOP_IMPORTED": str(folder / "imported"), "COLUMNS": "100",
        "NO_PROXY": "127.0.0.1", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    desk = Desk(work, shop, environment)
    desk.configure()
    return desk


class Terminal:
    """The command on a terminal of its own, with a person who answers."""

    def __init__(self, desk: Desk, *arguments: str, colour: bool = False) -> None:
        environment = {**desk.environment, "TERM": "xterm"} | ({} if colour else {"NO_COLOR": "1"})
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=desk.folder, env=environment, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was printed, without what moves the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw).replace("\r\n", "\n")

    def until(self, wanted: str, seconds: float = 60) -> None:
        """Read until a text has been printed since the last time."""
        start, deadline = len(self.text), time.monotonic() + seconds
        while wanted not in self.text[max(start - len(wanted), 0) :]:
            if not self._read(deadline):
                raise AssertionError(f"{wanted!r} was not printed, but:\n{self.text}")

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            got = os.read(self._master, 65536)
        except OSError:
            return False
        self.raw += got.decode("utf-8", "replace")
        return bool(got)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds: float = 60) -> int:
        """Wait for the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        code = self.process.wait(timeout=max(1, deadline - time.monotonic()))
        os.close(self._master)
        return code


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)

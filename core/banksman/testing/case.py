"""One recorded situation of one action: a file of `contract_tests/<system>/`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from banksman._connector import Connection, Connector, Environment, OpenConnection, Wiring
from banksman.errors import UsageError
from banksman.http import RetryPolicy
from banksman.http.recording import RecordedExchange
from banksman.http.replay import Replay, ReplayMismatch
from banksman.testing.perform import Observed, perform

_FORMAT = "banksman.contract.v1"
#: What reading the system's own description took; shared by all cases of a folder.
DISCOVERY = "discovery.json"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was done, what was exchanged, and what has to come of it.

    Attributes:
        recorded_against: `server`, `version`, `date`, and a `note` on what was done on purpose.
        origin: what stands for the server's scheme, host and port.
        settings: of the connection, without secrets.
        key: what `api.call_key` gave.
        since: when the write was intended, for its reconcile.
        expect: what `perform` saw.
    """

    action: str
    situation: str
    variant: str = ""
    arguments: Mapping[str, Any]
    recorded_against: Mapping[str, str]
    origin: str
    settings: Mapping[str, Any]
    key: str
    since: datetime
    exchanges: Sequence[RecordedExchange]
    expect: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`messages.post.success`: the name of the file, and of the test."""
        return ".".join(part for part in (self.action, self.situation, self.variant) if part)

    def text(self) -> str:
        """The content of its file."""
        document = {
            "format": _FORMAT,
            "recorded_against": dict(self.recorded_against),
            "action": self.action,
            "situation": self.situation,
            **({"variant": self.variant} if self.variant else {}),
            "arguments": dict(self.arguments),
            "connection": {"origin": self.origin, "settings": dict(self.settings)},
            "call": {"key": self.key, "since": self.since.isoformat()},
            "exchanges": [one.document() for one in self.exchanges],
            "expect": dict(self.expect),
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: Path) -> Case:
        """The case in a file.

        Raises:
            UsageError: the file holds none.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                raise UsageError(f"{path}: the format is {document['format']!r}, not {_FORMAT!r}; record it again")
            return cls(
                action=document["action"],
                situation=document["situation"],
                variant=document.get("variant", ""),
                arguments=document["arguments"],
                recorded_against=document["recorded_against"],
                origin=document["connection"]["origin"],
                settings=document["connection"]["settings"],
                key=document["call"]["key"],
                since=datetime.fromisoformat(document["call"]["since"]),
                exchanges=[RecordedExchange.from_document(one) for one in document["exchanges"]],
                expect=document["expect"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path}: no recorded case ({type(error).__name__}: {error})") from None

    async def replay(self, connector: Connector, shared: Sequence[RecordedExchange] = ()) -> Observed:
        """Perform the situation against the recording; a request that does not fit it is among the problems."""
        replay = Replay(self.exchanges, origin=self.origin, shared=shared)
        opened = self.open(connector, replay)
        try:
            action = await opened.action(f"{connector.name}.{self.action}")
            observed = await perform(opened, action, self.arguments, self.situation, key=self.key, since=self.since)
        except AssertionError as error:
            observed = Observed(problems=[] if isinstance(error, ReplayMismatch) else [repr(error)])
        finally:
            await opened.aclose()
        try:
            replay.check()
        except ReplayMismatch as mismatch:
            observed.problems += mismatch.problems
        return observed

    def open(self, connector: Connector, inner: Any) -> OpenConnection:
        """A connection as it was when the case was recorded, over another transport."""
        settings = connector.settings.model_validate(self.settings)
        connection = Connection(
            f"{connector.name}:recorded",
            connector.name,
            environment=Environment.TEST,
            settings=settings,
            limits={"rate": None},
        )
        # Each attempt is an exchange of its own, so nothing is tried again while replaying.
        wiring = Wiring(inner=inner, retry=RetryPolicy(attempts=1))
        return OpenConnection(connector, connection, connector.open(connector, connection, wiring))


def load_discovery(folder: Path) -> list[RecordedExchange]:
    """The shared exchanges of a folder; none where there is nothing to discover."""
    path = folder / DISCOVERY
    if not path.exists():
        return []
    return [RecordedExchange.from_document(one) for one in json.loads(path.read_text(encoding="utf-8"))["exchanges"]]


def discovery_text(exchanges: Sequence[RecordedExchange], recorded_against: Mapping[str, str]) -> str:
    """The content of the file of shared exchanges."""
    documents = [one.document() for one in exchanges]
    document = {"format": _FORMAT, "recorded_against": dict(recorded_against), "exchanges": documents}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

"""Records the situations of a connector's actions against a real server, scrubbed, for the contract suite to replay.

    connection = Connection("slack:emulated", "slack", settings=Settings(base_url=...), auth={...})
    await record_contract(connector, connection, Path("script.yaml"), Path("contract_tests/slack"))

Nothing is written before everything was recorded, scrubbed and replayed once: a recording that does not replay, or of
which something else comes than did on the server, is refused.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from banksman import auth
from banksman._action import Action
from banksman._canonical import Plain, plain
from banksman._change import Unknowable
from banksman._connector import Connection, Connector, Environment, OpenConnection, Wiring
from banksman.errors import NotFound, UsageError
from banksman.http import Exchange, RetryPolicy
from banksman.http.recording import RecordedExchange, Recorder, Scrubber
from banksman.testing import drive
from banksman.testing.case import DISCOVERY, Case, discovery_text
from banksman.testing.contract import Exemptions
from banksman.testing.faults import USUAL, FaultRow, Faulty
from banksman.testing.perform import Observed, perform
from banksman.testing.script import Entry, Script, Situation, Step, resolved
from banksman.testing.situations import required


@dataclass(kw_only=True)
class _Take:
    """One situation as it was seen on the server, not scrubbed yet."""

    entry: Entry
    situation: str
    key: str
    since: datetime
    arguments: Mapping[str, Plain]
    exchanges: Sequence[Exchange]
    observed: Observed
    note: str | None


async def record_contract(
    connector: Connector, connection: Connection, script: Path, folder: Path, *, today: str | None = None
) -> list[Path]:
    """Run a script against a system and write its recordings; the paths of the files that there are now.

    Recordings of an earlier run that the script no longer makes are removed. The system is changed and, as far as undo
    and `clean_up` go, changed back: it must not be a production system.

    Args:
        today: the date to put on the recordings; by default today's, in UTC.

    Raises:
        UsageError: the connection is one to production, or the script or the connector does not hold what it says;
            nothing was written.
    """
    if connection.environment is Environment.PRODUCTION:
        raise UsageError(
            f"{connection.name} is production: recording changes records there",
            hint="Record against a sandbox or a test system, and say so in the connection's `environment`.",
        )
    return await _Recording(connector, connection, Script.load(script), folder, today or _today()).run()


@dataclass
class _Recording:
    connector: Connector
    connection: Connection
    script: Script
    folder: Path
    today: str
    discovery: Sequence[Exchange] = ()
    takes: list[_Take] = field(default_factory=list)

    async def run(self) -> list[Path]:
        exemptions = Exemptions.load(self.folder)
        for entry in self.script.cases:
            action = await self._action(entry.action)
            for situation in _situations(entry, action, exemptions):
                self.takes.append(await self._take(entry, action, situation))
        scrubber = self._scrubber()
        shared = scrubber.exchanges(self.discovery)
        cases = [await self._settled(take, scrubber, shared) for take in self.takes]
        return self._written(cases, shared)

    async def _action(self, name: str) -> Action[Any, Any]:
        async with AsyncExitStack() as stack:
            opened, recorder, _ = self._open(None)
            stack.push_async_callback(opened.aclose)
            action = await opened.action(f"{self.connector.name}.{name}")
            self.discovery = self.discovery or recorder.take()
        return action

    def _open(self, account: str | None) -> tuple[OpenConnection, Recorder, Faulty]:
        recorder = Recorder()
        faulty = Faulty(httpx.AsyncHTTPTransport(verify=_certificates(), retries=0, trust_env=False))
        config = self.connection.auth
        if account is not None:
            if account not in self.script.accounts:
                raise UsageError(f"the script has no account {account!r}")
            config = self.script.accounts[account]
        flow = auth.build(self.connector.auth, config) if config else None
        wiring = Wiring(auth=flow, observers=(recorder,), inner=faulty, retry=RetryPolicy(attempts=1))
        connection = replace(self.connection, limits={**self.connection.limits, "rate": None})
        api = self.connector.open(self.connector, connection, wiring)
        return OpenConnection(self.connector, connection, api), recorder, faulty

    async def _take(self, entry: Entry, action: Action[Any, Any], name: str) -> _Take:
        situation = entry.situations.get(name, Situation())
        async with AsyncExitStack() as stack:
            opened, recorder, faulty = self._open(situation.account)
            helper, _, _ = self._open(None)
            for one in (opened, helper):
                stack.push_async_callback(one.aclose)
                await one.actions()
            outputs: dict[str, Plain] = {}
            for step in entry.set_up if situation.set_up is None else situation.set_up:
                await _step(helper, step, outputs)
            recorder.take()
            faulty.fault = self._fault(situation, name, changes=action.effect.changes)
            arguments = resolved({**entry.given, **situation.given}, outputs)
            key, since = f"contract:{entry.action}:{name}", datetime.now(timezone.utc)
            observed = await perform(opened, action, arguments, name, key=key, since=since)
            seen = recorder.take()
            where = ".".join(part for part in (entry.action, name, entry.variant) if part)
            if observed.done and not drive.is_irreversible(action):
                await drive.take_back(helper, observed.done)
            outputs["output"] = observed.done.output if observed.done else None
            for step in entry.clean_up:
                with suppress(NotFound):  # what the situation itself removed
                    await _step(helper, step, outputs)
            if faulty.fault is not None:
                observed.problems.append(f"the fault befell no request: {faulty.fault}")
            if observed.problems:
                lines = "\n".join(f"  - {problem}" for problem in observed.problems)
                raise UsageError(f"{where}, on the server itself:\n{lines}")
        return _Take(
            entry=entry, situation=name, key=key, since=since, arguments=plain(arguments), exchanges=seen,
            observed=observed, note=faulty.befell,
        )  # fmt: skip

    def _fault(self, situation: Situation, name: str, *, changes: bool) -> FaultRow | None:
        """What is done to the exchanges on purpose; nothing where the script makes the server itself show it."""
        if situation.fault is not None:
            return situation.fault.row(changes=changes)
        if situation.is_described:
            return None
        if name in self.script.faults:
            return self.script.faults[name].row(changes=changes)
        usual = USUAL.get(name)
        return replace(usual, befalls="write") if usual and changes else usual

    def _scrubber(self) -> Scrubber:
        base = httpx.URL(self.connection.settings.base_url or self.connector.base_url or "")
        keys = {take.key for take in self.takes} | {f"{take.key}-undo" for take in self.takes}
        scrubber = Scrubber(
            self.script.keep.keep(),
            origin=str(base.copy_with(raw_path=b"/")).rstrip("/"),
            stand_in=f"https://{self.connector.name.replace('_', '-')}.example",
            public=self.script.texts() | keys,
        )
        settings = self._settings()
        scrubber.learn(self.discovery, settings)
        described = [one.response.text for one in self.discovery if one.response is not None]
        for take in self.takes:
            scrubber.learn(take.exchanges, [take.arguments, settings], before=described)
        return scrubber

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.connection.settings.model_dump(mode="json", exclude_unset=True)
        settings.pop("base_url", None)
        return settings

    async def _settled(self, take: _Take, scrubber: Scrubber, shared: Sequence[RecordedExchange]) -> Case:
        """The scrubbed case, with what comes of it when it is replayed."""
        base = httpx.URL(self.connection.settings.base_url or self.connector.base_url or "")
        against = {"server": self.script.server.name, "version": self.script.server.version, "date": self.today}
        case = Case(
            action=take.entry.action,
            situation=take.situation,
            variant=take.entry.variant,
            arguments=scrubber.value(take.arguments),
            recorded_against=against | ({"note": take.note} if take.note else {}),
            origin=scrubber.stand_in,
            settings=scrubber.value(self._settings()) | {"base_url": scrubber.stand_in + base.path.rstrip("/")},
            key=take.key,
            since=take.since,
            exchanges=scrubber.exchanges(take.exchanges),
        )
        replayed = await case.replay(self.connector, shared)
        problems = replayed.problems
        if not problems and _outline(replayed.came) != _outline(take.observed.came):
            problems = [f"the server gave {_outline(take.observed.came)}, the recording {_outline(replayed.came)}"]
        if problems:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            raise UsageError(
                f"{case.name} does not replay as it was recorded:\n{lines}",
                hint="Texts that decide something have to be kept: list their fields in `keep.fields`.",
            )
        return replace(case, expect=replayed.came)

    def _written(self, cases: Sequence[Case], shared: Sequence[RecordedExchange]) -> list[Path]:
        texts = {f"{case.name}.json": case.text() for case in cases}
        if len(texts) < len(cases):
            raise UsageError("two cases have the same name; give one a `variant`")
        if shared:
            texts[DISCOVERY] = discovery_text(shared, cases[0].recorded_against)
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("*.json"):
            if old.name not in texts:
                old.unlink()
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return sorted(self.folder / name for name in texts)


@cache
def _certificates() -> ssl.SSLContext:
    # Reading the certificates takes longer than recording a case does.
    return httpx.create_ssl_context(trust_env=False)


def _situations(entry: Entry, action: Action[Any, Any], exemptions: Exemptions) -> list[str]:
    wanted = [one for one in required(action) if not exemptions.why(entry.action, one)]
    if isinstance(action.reconcile, Unknowable):
        wanted = [one for one in wanted if one != "timeout_before_commit"]
    unknown = [one for one in (*entry.situations, *(entry.only or ())) if one not in required(action)]
    if unknown:
        raise UsageError(f"{entry.action}: no such situation: {', '.join(unknown)}")
    return [one for one in wanted if entry.only is None or one in entry.only]


async def _step(opened: OpenConnection, step: Step, outputs: dict[str, Plain]) -> None:
    if step.request is not None:
        raw = resolved(step.request.model_dump(by_alias=True), outputs)
        request = opened.api.request(raw["method"], raw["path"], form=raw["form"], json=raw["json"])
        await drive.send_bare(opened, request)
        return
    action = await opened.action(f"{opened.connector.name}.{step.action}")
    given = resolved(step.given, outputs)
    if action.effect.changes:
        output = (await drive.carry_out(opened, action, given)).output
    else:
        output = await drive.read(opened, action, given)
    if step.name:
        outputs[step.name] = output


def _outline(came: Mapping[str, Any]) -> dict[str, Any]:
    """What scrubbing must not alter: which parts there are, which error came, what reconcile said."""
    verdict = came.get("reconcile", {}).get("verdict")
    return {"parts": sorted(came), "error": came.get("error"), "code": came.get("code"), "verdict": verdict}


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()

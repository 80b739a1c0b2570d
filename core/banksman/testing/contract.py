"""The contract suite: every action of a connector, in every situation, against what was recorded.

    # test_contract.py
    from pathlib import Path
    from banksman.testing import contract_suite
    from my_connector import connector

    test_contract = contract_suite(connector, Path(__file__).parent / "recordings")

The folder holds the recordings, made by `banksman connectors record`, and an `exempt.yaml` that says why an action is
not seen in a situation:

    channels.list:
      not_found: a list is never not found
    discovered:
      cover: [PurchaseOrders.get, PurchaseOrders.update]
      why: actions are compiled alike for every entity set, so one stands for all

What is checked: the connector makes exactly the recorded requests, and none past the seam; the output, or the error, is
the one that the situation calls for and the one that was recorded; a write's preview is what a read gives afterwards,
field by field; its undo restores what was before; reconcile finds a write whose answer was lost, and does not find one
that was lost itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import yaml

from banksman._action import Action
from banksman._change import Unknowable
from banksman._connector import Connector
from banksman.errors import UsageError
from banksman.http.recording import RecordedExchange
from banksman.preview import differences
from banksman.testing.case import DISCOVERY, Case, load_discovery
from banksman.testing.doors import offline
from banksman.testing.situations import required

EXEMPT = "exempt.yaml"
#: May be exempt besides situations: that a write's record can be read by its key.
READ_BACK = "read_back"


class ContractBroken(AssertionError):
    """A connector does not do what it promises, or its recordings do not show that it does."""


@dataclass(frozen=True, kw_only=True)
class Exemptions:
    """What recordings need not show, and why.

    Attributes:
        reasons: by action, by situation.
        cover: discovered actions that stand for all of their kind.
    """

    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cover: Sequence[str] = ()

    @classmethod
    def load(cls, folder: Path) -> Exemptions:
        """From the folder's `exempt.yaml`, if there is one.

        Raises:
            UsageError: it gives no reason for something.
        """
        path = folder / EXEMPT
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}
        if not isinstance(document, dict):
            raise UsageError(f"{path}: give `action: {{situation: why}}`")
        discovered = document.pop("discovered", {})
        for name, reasons in document.items():
            for situation, why in reasons.items() if isinstance(reasons, dict) else [("", None)]:
                if not isinstance(why, str) or len(why.strip()) < 10:
                    raise UsageError(f"{path}: {name}: {situation or '?'}: say why, in a sentence")
        if discovered and not discovered.get("why"):
            raise UsageError(f"{path}: discovered: say why these stand for all")
        return cls(reasons=document, cover=tuple(discovered.get("cover", ())))

    def why(self, action: str, situation: str) -> str | None:
        """Why an action need not be seen in a situation; None: it has to be."""
        return self.reasons.get(action, {}).get(situation)


@dataclass(frozen=True)
class Suite:
    """The recordings of one connector."""

    connector: Connector
    folder: Path
    cases: Sequence[Case]
    exemptions: Exemptions
    shared: Sequence[RecordedExchange]

    @classmethod
    def load(cls, connector: Connector, folder: Path) -> Suite:
        """Everything in a folder.

        Raises:
            UsageError: a file cannot be read.
        """
        paths = sorted(path for path in folder.glob("*.json") if path.name != DISCOVERY)
        cases = [Case.load(path) for path in paths]
        return cls(connector, folder, cases, Exemptions.load(folder), load_discovery(folder))

    async def check(self, case: Case) -> None:
        """Replay one case.

        Raises:
            ContractBroken: lists every broken promise and every difference to what was recorded.
        """
        observed = await case.replay(self.connector, self.shared)
        problems = list(observed.problems)
        if observed.unread and not self.exemptions.why(case.action, READ_BACK):
            problems.append(f"{observed.unread}; exempt {READ_BACK} with a reason if there can be none")
        if not problems:
            problems += [
                f"{path}: recorded {was!r}, now {now!r}" for path, was, now in differences(case.expect, observed.came)
            ]
        _raise(case.name, problems)

    async def check_coverage(self) -> None:
        """Hold the recordings against the actions.

        Raises:
            ContractBroken: lists each missing situation, and each recording or exemption that is for nothing.
        """
        actions = await self.actions()
        seen = {(case.action, case.situation) for case in self.cases}
        _raise("coverage", [*self._missing(actions, seen), *self._needless(actions, seen)])

    async def actions(self) -> dict[str, Action[Any, Any]]:
        """The actions that recordings have to show, by name: the written ones, and those that stand for discovered."""
        prefix = f"{self.connector.name}."
        named = {action.name: action for action in self.connector.actions}
        if self.connector.discover is not None and self.cases:
            found = await self._discovered()
            unknown = [name for name in self.exemptions.cover if name not in found]
            _raise(EXEMPT, [f"discovered.cover names {name!r}, which was not discovered" for name in unknown])
            named |= {name: found[name] for name in self.exemptions.cover}
        return {name.removeprefix(prefix): action for name, action in named.items()}

    async def _discovered(self) -> dict[str, Action[Any, Any]]:
        from banksman.http.replay import Replay

        opened = self.cases[0].open(self.connector, Replay((), origin=self.cases[0].origin, shared=self.shared))
        try:
            return {action.name: action for action in (await opened.actions()).values()}
        finally:
            await opened.aclose()

    def _missing(self, actions: Mapping[str, Action[Any, Any]], seen: set[tuple[str, str]]) -> Iterator[str]:
        for name, action in actions.items():
            for situation in required(action):
                if isinstance(action.reconcile, Unknowable) and situation == "timeout_before_commit":
                    continue
                if (name, situation) not in seen and not self.exemptions.why(name, situation):
                    yield f"{name}: no recording of {situation}, and no reason in {EXEMPT}"

    def _needless(self, actions: Mapping[str, Action[Any, Any]], seen: set[tuple[str, str]]) -> Iterator[str]:
        for name, situation in sorted(seen):
            if name not in actions:
                yield f"{name}: recorded ({situation}), and there is no such action; there are {', '.join(actions)}"
        for name, reasons in self.exemptions.reasons.items():
            if name not in actions:
                yield f"{EXEMPT}: {name}: there is no such action"
                continue
            for situation in reasons:
                if situation not in (*required(actions[name]), READ_BACK):
                    yield f"{EXEMPT}: {name}: {situation} is not asked of it"
                elif (name, situation) in seen:
                    yield f"{EXEMPT}: {name}: {situation} is exempt, and recorded all the same"


def _raise(what: str, problems: Sequence[str]) -> None:
    if problems:
        raise ContractBroken(f"{what}:\n" + "\n".join(f"  - {problem}" for problem in problems))


def contract_suite(connector: Connector, folder: Path | str) -> Callable[..., None]:
    """A test for pytest, one parameter for each recording in the folder, and one for what is missing.

    Give it a name that pytest collects: `test_contract = contract_suite(connector, folder)`.
    """
    import pytest

    suite = Suite.load(connector, Path(folder))
    parameters = [pytest.param(case, id=f"{connector.name}-{case.name}") for case in suite.cases]

    @pytest.mark.parametrize("case", [*parameters, pytest.param(None, id=f"{connector.name}-coverage")])
    def test_contract(case: Case | None) -> None:
        """A recorded situation comes out as recorded; None: every situation is recorded."""
        if case is None:
            anyio.run(suite.check_coverage)
        else:
            with offline():
                anyio.run(suite.check, case)

    return test_contract

"""What to record: a script that says which actions to call, with what, and how to make each situation come about.

    server: {name: emulate, version: 0.12.2}
    keep: {fields: [ok, error, ts], texts: [application/xml]}
    accounts: {narrow: {kind: bearer, token: "env:NARROW_TOKEN"}}
    faults: {denied: {status: 200, json: {ok: false, error: missing_scope}}}
    cases:
      - action: messages.delete
        set_up:
          - {action: messages.post, with: {channel: C01, text: Away with it}, as: posted}
        with: {channel: C01, message: "${posted.id}"}
        situations:
          not_found: {with: {message: "1700000000.000001"}}
          denied: {account: narrow}

Every case is performed in each situation that is required of its action and not exempt. What a situation does not say
is the case's; a situation that is neither described nor stood for by a fault has to be exempt. Texts in the script are
public: recordings keep them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from banksman._canonical import Plain
from banksman._record import at_path
from banksman.errors import UsageError
from banksman.http.recording import Keep
from banksman.testing.faults import FaultRow


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Server(_Part):
    """What is recorded against."""

    name: str
    version: str


class Kept(_Part):
    """See `banksman.http.recording.Keep`."""

    fields: list[str] = []
    headers: list[str] = []
    replaced_headers: list[str] = []
    texts: list[str] = []

    def keep(self) -> Keep:
        """The declaration as the scrubber takes it."""
        return Keep(
            fields=frozenset(self.fields),
            headers=frozenset(name.lower() for name in self.headers),
            replaced_headers=frozenset(name.lower() for name in self.replaced_headers),
            texts=frozenset(name.lower() for name in self.texts),
        )


class Fault(_Part):
    """See `banksman.testing.faults.FaultRow`."""

    befalls: str | None = None
    status: int = 200
    headers: dict[str, str] = {}
    json_: Any = Field(default=None, alias="json")
    text: str | None = None
    drop: Literal["after_commit", "before_commit"] | None = None

    def row(self, *, changes: bool) -> FaultRow:
        """The fault of an action; unsaid, it befalls the write of a write and the first request of a read."""
        befalls = self.befalls or ("write" if changes else "first")
        return FaultRow(
            befalls=befalls, status=self.status, headers=self.headers, json=self.json_, text=self.text, drop=self.drop
        )


class Raw(_Part):
    """A request for what no action of the connector does: joining a channel, say."""

    method: str = "POST"
    path: str
    form: dict[str, Any] | None = None
    json_: Any = Field(default=None, alias="json")


class Step(_Part):
    """A call before or after a case, which is not recorded: of an action, or a bare request."""

    action: str = ""
    request: Raw | None = None
    given: dict[str, Any] = Field(default={}, alias="with")
    name: str | None = Field(default=None, alias="as")


class Situation(_Part):
    """How one situation differs from the case."""

    given: dict[str, Any] = Field(default={}, alias="with")
    account: str | None = None
    fault: Fault | None = None
    set_up: list[Step] | None = None

    @property
    def is_described(self) -> bool:
        """Whether it says how the server itself is made to show it."""
        return bool(self.given) or self.account is not None or self.set_up is not None


class Entry(_Part):
    """One action, and how it is called."""

    action: str
    variant: str = ""
    given: dict[str, Any] = Field(default={}, alias="with")
    set_up: list[Step] = []
    clean_up: list[Step] = []
    situations: dict[str, Situation] = {}
    only: list[str] | None = None


class Script(_Part):
    """What to record of one system."""

    server: Server
    keep: Kept = Kept()
    public: list[str] = []
    accounts: dict[str, dict[str, Any]] = {}
    faults: dict[str, Fault] = {}
    cases: list[Entry]

    @classmethod
    def load(cls, path: Path) -> Script:
        """The script in a file.

        Raises:
            UsageError: lists what is wrong with it.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except yaml.YAMLError as error:
            raise UsageError(f"{path}: {error}") from None
        except ValidationError as error:
            places = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
            raise UsageError(f"{path}: " + "; ".join(places)) from None

    def texts(self) -> set[str]:
        """Every text that calls are given, and those listed: their author wrote them, so anybody may read them."""
        found = set(self.public)
        for entry in self.cases:
            givens = [entry.given, *(step.given for step in (*entry.set_up, *entry.clean_up))]
            for situation in entry.situations.values():
                givens += [situation.given, *(step.given for step in situation.set_up or ())]
            for given in givens:
                found.update(_texts(given))
        return found


_REFERENCE = re.compile(r"\$\{([^{}.\[\]]+)(?:\.?([^{}]*))\}")


def _texts(value: Plain) -> Iterator[str]:
    if isinstance(value, str) and "${" not in value:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def resolved(value: Plain, outputs: Mapping[str, Plain]) -> Plain:
    """The value with each `${name.path}` replaced by that part of an earlier step's output.

    Raises:
        UsageError: there is no such step or part.
    """
    if isinstance(value, Mapping):
        return {key: resolved(item, outputs) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, outputs) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    match = _REFERENCE.fullmatch(value)
    if match is None:
        raise UsageError(f"{value!r}: a reference is a whole text, such as '${{posted.id}}'")
    try:
        return at_path(outputs[match[1]], match[2])
    except LookupError as error:
        raise UsageError(f"{value!r}: {error}; there are {', '.join(outputs) or 'no earlier steps'}") from None

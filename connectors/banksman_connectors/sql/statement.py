"""A prepared change of a database: what is shown, approved, and sent unaltered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from banksman import Effect
from banksman._canonical import Plain, digest, plain

if TYPE_CHECKING:
    from banksman_connectors.sql.session import Session


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One or more statements that are run in one transaction, and what must come of them.

    Attributes:
        texts: the statements, parameters as `:name`.
        parameters: their parameters, in the same order. Never part of a text.
        about: what a reconcile needs to know: the table, its key, what only the database knows.
        carry_out: runs them inside an open transaction and compares what they did with what was approved.
    """

    effect: Effect
    dialect: str
    texts: Sequence[str]
    parameters: Sequence[Mapping[str, Plain]]
    about: Mapping[str, Plain] = field(default_factory=dict)
    carry_out: Callable[[Session], Any] = field(repr=False, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        return digest(self.canonical(), purpose="banksman.statement.v1")

    def canonical(self) -> dict[str, Plain]:
        alone = len(self.texts) == 1
        parameters = plain(self.parameters[0]) if alone else [plain(given) for given in self.parameters]
        return {
            "kind": "sql",
            "dialect": self.dialect,
            "statement": ";\n".join(self.texts),
            "parameters": parameters,
            **plain(self.about),
        }

    def summary(self) -> str:
        first = " ".join(self.texts[0].split()) if self.texts else "nothing"
        more = f" (and {len(self.texts) - 1} more)" if len(self.texts) > 1 else ""
        return f"{first[:160]}{'...' if len(first) > 160 else ''}{more}"

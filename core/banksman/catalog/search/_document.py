"""What is searched, and what is found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """One action, as search sees it.

    Attributes:
        id: unique in the catalog: `github.issues.create`.
        system: the system it belongs to, as filters name it; empty where it belongs to none.
        name: as its author spells it: `listPullRequests`, `issues/create`, `ec2.DescribeVolumes`.
        summary: one sentence.
        description: what else is said of it.
        arguments: names, with their descriptions, which may be empty.
        capability: the abstract operation it offers, such as `ticket.create`; empty for none.
        effect: what a call does outside, by its word: `read`, `write`, ...; empty where unknown.
        title: how the system calls itself, in words: `Amazon Elastic Compute Cloud`. By default its name.
    """

    id: str
    system: str
    name: str
    summary: str = ""
    description: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    capability: str = ""
    effect: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One action that was found.

    Attributes:
        id: of the action.
        score: greater is better; comparable only within one search.
        why: the words of the request that speak for it, the strongest first.
    """

    id: str
    score: float
    why: tuple[str, ...] = ()

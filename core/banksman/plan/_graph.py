"""Which steps need which, and an order in which each stands after those it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from banksman.plan._format import Runbook, Step
from banksman.plan._reference import expressions

_NONE: frozenset[str] = frozenset()


def dependencies(step: Step) -> frozenset[str]:
    """The names a step reads or waits for; not all need to be steps."""
    found = set(step.after) | roots(step.when) | roots(step.for_each) | roots(step.key and f"${{{step.key}}}")
    for call in step.ways:
        found |= roots(call.arguments)
    return frozenset(found)


def roots(template: Any) -> frozenset[str]:
    """The names that a template's expressions read."""
    if template is None or template == {} or (isinstance(template, str) and "${" not in template):
        return _NONE
    found: set[str] = set()
    for expression in expressions(template):
        found |= expression.roots
    return frozenset(found)


def roots_index(template: Any) -> frozenset[str]:
    """`each` where a template reads the index of the item: it depends on the item as well."""
    return frozenset({"each"}) if "index" in roots(template) else frozenset()


def ordered(plan: Runbook) -> Iterable[str]:
    """The steps so that each stands after those it needs.

    Raises:
        ValueError: with the cycle as `a -> b -> a`.
    """
    needs = {name: dependencies(step) & plan.steps.keys() for name, step in plan.steps.items()}
    done: dict[str, None] = {}
    path: dict[str, None] = {}

    def visit(start: str) -> None:
        # Not recursive: a chain of ten thousand steps is a fair plan.
        stack = [(start, iter(sorted(needs[start])))]
        path[start] = None
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.popitem()
                done[name] = None
            elif following in path:
                names = list(path)
                raise ValueError(" -> ".join([*names[names.index(following) :], following]))
            elif following not in done:
                path[following] = None
                stack.append((following, iter(sorted(needs[following]))))

    for name in plan.steps:
        if name not in done:
            visit(name)
    return done

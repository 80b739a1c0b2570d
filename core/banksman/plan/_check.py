"""What can be known of a plan before anything is called: every problem at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from banksman._action import Action
from banksman._canonical import Plain
from banksman.errors import ArgumentError, BanksmanError, PlanError
from banksman.plan._format import RESERVED, Call, Input, Runbook, Step
from banksman.plan._graph import dependencies, ordered, roots
from banksman.plan._reference import BadReference, expressions

#: Gives the action of a name on a connection, or raises a BanksmanError that says why there is none.
Lookup = Callable[[str, str], Action[Any, Any]]


def check(plan: Runbook, lookup: Lookup) -> list[str]:
    """The problems of a plan, one line each with its place; empty where it can be run."""
    found: list[str] = []
    for name, step in plan.steps.items():
        found += [
            f"steps.{name}{'.' if text[0].isalpha() else ': '}{text}" for text in _check_step(plan, name, step, lookup)
        ]
    if not found:
        try:
            ordered(plan)
        except ValueError as error:
            found.append(f"steps: they wait for each other in a circle: {error}")
    if not found:
        found += _check_paths(plan, lookup)
    for index, expression in enumerate(plan.ensures):
        found += [f"ensures.{index}: {text}" for text in _check_roots(plan, expression, looped=False)]
    found += [f"outputs: {text}" for text in _check_roots(plan, plan.outputs, looped=False)]
    return found


def _check_step(plan: Runbook, name: str, step: Step, lookup: Lookup) -> Iterator[str]:
    looped = step.for_each is not None
    templates: list[Any] = [step.for_each, step.when, f"${{{step.key}}}" if step.key else None]
    templates += [call.arguments for call in step.ways]
    if unreadable := [text for template in templates for text in _unreadable(template)]:
        yield from unreadable
        return
    for need in step.after:
        if need not in plan.steps:
            yield f"after: no step {need!r}{_near(need, plan.steps)}"
    yield from (f"for_each: {text}" for text in _check_roots(plan, step.for_each, looped=False))
    yield from (f"when: {text}" for text in _check_roots(plan, step.when, looped=looped))
    if step.key is not None:
        if not looped:
            yield "key: it names the rounds of `for_each`, and there is none"
        yield from (f"key: {text}" for text in _check_roots(plan, f"${{{step.key}}}", looped=looped))
    if name in dependencies(step):
        yield "it refers to its own output"
    for way, call in enumerate(step.ways):
        place = f"else_try.{way - 1}." if way else ""
        yield from (f"{place}with: {text}" for text in _check_roots(plan, call.arguments, looped=looped))
        yield from (f"{place}{text}" for text in _check_call(plan, call, lookup))


def _unreadable(template: Any) -> list[str]:
    try:
        list(expressions(template))
    except BadReference as error:
        return [str(error)]
    return []


def _check_roots(plan: Runbook, template: Any, *, looped: bool) -> Iterator[str]:
    if unreadable := _unreadable(template):
        yield from unreadable
        return
    for expression in expressions(template):
        for root in sorted(expression.roots):
            if root in ("each", "index"):
                if not looped:
                    yield f"${{{expression.text}}}: `{root}` exists only where the step has `for_each`"
            elif root not in plan.steps and root not in RESERVED:
                known = sorted({*plan.steps, *RESERVED})
                yield f"${{{expression.text}}}: no step or input {root!r}{_near(root, known)}"
        for path in expression.paths:
            if path[0] == "inputs" and len(path) > 1 and path[1] not in plan.inputs:
                yield f"${{{expression.text}}}: no input {path[1]!r}{_near(path[1], plan.inputs)}"


def _near(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=3, cutoff=0.5)
    listed = near or sorted(known)[:8]
    return f"; did you mean {', '.join(near)}?" if near else f"; there are {', '.join(listed) or 'none'}"


def _check_call(plan: Runbook, call: Call, lookup: Lookup) -> Iterator[str]:
    try:
        action = lookup(plan.connection_of(call), call.action)
    except PlanError as error:
        yield "on: " + "; ".join(error.problems)
        return
    except BanksmanError as error:
        yield f"action: {error.message}"
        return
    # A reference may turn out to be of any type; only what is written down can be checked now.
    literal = {name: value for name, value in call.arguments.items() if not roots(value)}
    try:
        action.input.validate(action.full_name, literal)
    except ArgumentError as error:
        for problem in error.problems:
            argument, _, what = problem.partition(": ")
            if what == "missing" and argument in call.arguments:
                continue
            yield f"with.{problem}"
    for name in call.arguments.keys() - literal.keys():
        if name not in action.input.names:
            yield f"with.{name}: no such argument; there are {', '.join(action.input.names) or 'none'}"


def _check_paths(plan: Runbook, lookup: Lookup) -> Iterator[str]:
    """References to fields that the output schemas do not have."""
    for name, step in plan.steps.items():
        templates: list[Any] = [step.for_each, step.when, *(call.arguments for call in step.ways)]
        for template in templates:
            for expression in expressions(template):
                for path in expression.paths:
                    if path[0] in plan.steps and (problem := _lost(plan, path, lookup)):
                        yield f"steps.{name}: ${{{expression.text}}}: {problem}"


def _lost(plan: Runbook, path: tuple[str, ...], lookup: Lookup) -> str | None:
    step = plan.steps[path[0]]
    if step.else_try:
        return None
    if step.for_each is not None:
        if len(path) > 1:
            return f"{path[0]} is a list (it has for_each); use {path[0]}[0].{path[1]} or {path[0]}[].{path[1]}"
        return None
    schema = lookup(plan.connection_of(step), step.action).output_schema
    node: Any = schema
    for depth, field in enumerate(path[1:], start=1):
        node = _follow(schema, node)
        if node.get("type") == "array":
            return f"{'.'.join(path[:depth])} is a list; use [0] or [] before {field!r}"
        properties = node.get("properties")
        if not isinstance(properties, Mapping) or node.get("additionalProperties"):
            return None
        if field not in properties:
            return f"the output of {step.action} has no {'.'.join(path[1 : depth + 1])!r}{_near(field, properties)}"
        node = properties[field]
    return None


def _follow(schema: Mapping[str, Any], node: Any) -> Any:
    """The node behind a reference; a nullable one counts as what it is when it is there."""
    for _ in range(8):
        if "$ref" in node:
            node = schema.get("$defs", {}).get(node["$ref"].rsplit("/", 1)[-1], {})
        elif isinstance(node.get("anyOf"), list):
            others = [item for item in node["anyOf"] if item.get("type") != "null"]
            if len(others) != 1:
                return {}
            node = others[0]
        else:
            return node
    return {}


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def bind_inputs(plan: Runbook, given: Mapping[str, Any]) -> dict[str, Plain]:
    """The inputs of a run: what was given, converted from text where that is what came, and the defaults.

    Raises:
        PlanError: lists every missing, unknown or ill-typed input.
    """
    problems = [f"inputs.{name}: no such input{_near(name, plan.inputs)}" for name in given if name not in plan.inputs]
    bound: dict[str, Plain] = {}
    for name, declared in plan.inputs.items():
        if name not in given:
            if declared.is_required:
                problems.append(f"inputs.{name}: missing; give it with --input {name}=VALUE ({declared.type})")
            bound[name] = declared.default
            continue
        try:
            bound[name] = _converted(declared, given[name])
        except ValueError as error:
            problems.append(f"inputs.{name}: {error}")
    if problems:
        raise PlanError(plan.name, problems)
    return bound


def _converted(declared: Input, value: Any) -> Plain:
    if isinstance(value, str) and declared.type not in ("string", "date"):
        value = _from_text(declared.type, value)
    if declared.type == "date":
        if not isinstance(value, str):
            raise ValueError(f"a date (YYYY-MM-DD) was expected, not {value!r}")
        date.fromisoformat(value)
        return value
    wanted = _TYPES[declared.type]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ValueError(f"{declared.type} was expected, not {type(value).__name__}")
    if declared.enum is not None and value not in declared.enum:
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, declared.enum))}")
    return value


def _from_text(kind: str, text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{kind} was expected, not {text!r}") from None

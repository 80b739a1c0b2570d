"""Finds the runbook in what a model wrote.

Why YAML text, and not tool calls or a JSON schema: the arguments of a step are a free-form object, which strict schemas
(OpenAI's `strict`, grammars of local servers) do not allow; small models put tool calls into the text or break off in
deep JSON, and many local servers offer neither tools nor a JSON mode. Every model can write a short YAML file like the
example. The errors of the parser and of the static check name the place, which serves for repair better than a refused
tool call does. JSON is YAML, so an answer in JSON is read as well.
"""

from __future__ import annotations

import re
import textwrap

from banksman.errors import PlanError
from banksman.plan import Runbook, parse

#: Longer answers are no runbook.
LONGEST = 200_000
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*[\w+-]*[ \t]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_REFUSAL = re.compile(r"\s*\{?\s*[\"']?cannot[\"']?\s*:(.*)", re.DOTALL)
_STEPS = re.compile(r"^\s*[\"']?steps[\"']?\s*:", re.MULTILINE)
_WRAPPING = re.compile(r"(?:runbook|plan)\s*:\s*")
_BEGIN = re.compile(r"^(?:name|goal|version|inputs|connections|steps|cannot|runbook|plan)\s*:|^\{", re.MULTILINE)


class NoPlan(PlanError):
    """The model says that the goal cannot be reached with the actions there are; `why` is in its words."""

    def __init__(self, why: str) -> None:
        super().__init__("the model", [f"it has no plan: {why}"], hint="Change the goal, or connect what is missing.")
        self.why = why


def read(text: str, *, cut_off: bool = False) -> Runbook:
    """The runbook in an answer, whatever stands around it.

    Raises:
        NoPlan: the answer says that there is none.
        PlanError: with every problem and its place.
    """
    if len(text) > LONGEST:
        raise PlanError("the answer", [f"it has {len(text)} characters; a runbook is short"])
    body = document(text)
    if not body.strip():
        raise PlanError("the answer", ["it holds no runbook; answer with one YAML document in a ```yaml fence"])
    if cut_off:
        raise PlanError("the answer", ["it was cut off at the model's limit; write a shorter runbook"])
    if (refusal := _REFUSAL.match(body)) and not _STEPS.search(body):
        raise NoPlan(refusal[1].strip(" \t\n\"'}")[:500])
    return parse(_unwrapped(body), source="the answer")


def _unwrapped(body: str) -> str:
    """Without an outer `runbook:`, which some models put around."""
    head, _, rest = body.partition("\n")
    return textwrap.dedent(rest) if _WRAPPING.fullmatch(head) else body


def document(text: str) -> str:
    """The part of an answer that is meant as the document: the last fence that begins like one, or what begins so."""
    text = _THOUGHT.sub("", text.replace("\r\n", "\n"))
    fenced = [match[2] for match in _FENCE.finditer(text)]
    fitting = [body for body in fenced if _BEGIN.search(body)]
    if fitting:
        return textwrap.dedent(fitting[-1])
    if fenced:
        return textwrap.dedent(fenced[-1])
    begin = _BEGIN.search(text)
    return text[begin.start() :] if begin else ""

"""A runbook is found in what a model wrote, whatever stands around it."""

from __future__ import annotations

import pytest

from banksman.errors import PlanError
from banksman.plan import parse
from banksman.planner import NoPlan
from banksman.planner._answer import read

YAML = """\
name: p
connections: {desk: "desk:main"}
steps:
  look:
    action: desk.tickets.list
    on: desk
    with: {status: "${inputs.status}"}
inputs: {status: {default: open}}
"""
PLAN = parse(YAML)
JSON = '{"name": "p", "connections": {"desk": "desk:main"}, "inputs": {"status": {"default": "open"}}, "steps": '
JSON += '{"look": {"action": "desk.tickets.list", "on": "desk", "with": {"status": "${inputs.status}"}}}}'
INDENTED = "\n".join(f"   {line}" for line in YAML.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        YAML,
        f"```yaml\n{YAML}```",
        f"```\n{YAML}\n```",
        f"~~~yml\n{YAML}~~~",
        f"Here it is:\n\n```yaml\n{YAML}```\nTell me if it should do more.",
        f"Here it is:\n\n{YAML}",
        f"```yaml\n{YAML}",
        f"```yaml\n{YAML}```".replace("\n", "\r\n"),
        f"1. The runbook:\n   ```yaml\n{INDENTED}\n   ```",
        f"A draft:\n```yaml\nname: d\nsteps: {{}}\n```\nBetter:\n```yaml\n{YAML}```\nThen:\n```sh\nbanksman run\n```",
        f"<think>\nmaybe\n```yaml\nname: no\n```\n</think>\n```yaml\n{YAML}```",
        JSON,
        f"```json\n{JSON}\n```",
        "runbook:\n" + "\n".join(f"  {line}" for line in YAML.splitlines()),
        f"---\n{YAML}",
    ],
)
def test_the_runbook_is_found(text):
    assert read(text) == PLAN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it holds no runbook"),
        ("I would list the tickets first.", "it holds no runbook"),
        ("<think>name: p\nsteps:", "it holds no runbook"),
        ("```yaml\nname: p\nsteps:\n  look: [\n```", "line 4"),
        ("```yaml\nname: p\n```", "steps: missing"),
        ("```yaml\nname: p\nsteps:\n- action: a.b\n```", "steps: input should be a valid dictionary"),
        ("```yaml\nname: p\nsteps: {a: {action: a.b, args: {}}}\n```", "steps.a.args: no such field"),
        ("```yaml\na: &a [x]\nname: *a\nsteps: {}\n```", "aliases"),
        (f"name: {'x' * 300_000}", "a runbook is short"),
    ],
)
def test_what_is_no_runbook_is_said_with_its_place(text, problem):
    with pytest.raises(PlanError) as raised:
        read(text)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        'cannot: "There is no fax."',
        "```yaml\ncannot: There is no fax.\n```",
        '```json\n{"cannot": "There is no fax."}\n```',
        "I looked at everything.\n\n```yaml\ncannot: 'There is no fax.'\n```",
    ],
)
def test_a_refusal_is_not_a_broken_plan(text):
    with pytest.raises(NoPlan) as raised:
        read(text)
    assert raised.value.why == "There is no fax."


def test_a_long_hostile_answer_is_read_in_no_time():
    for text in ("```yaml\n" * 5_000, "<think>" * 20_000, "cannot" * 30_000, "~~~\n```\n" * 5_000):
        with pytest.raises(PlanError):
            read(text)

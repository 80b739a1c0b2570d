"""`banksman actions`: what can be done, and what it takes, gives and changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from banksman.cli.exits import Exit
from banksman.cli.session import Session
from banksman.errors import BanksmanError, UnknownName

if TYPE_CHECKING:
    from banksman._action import Action
    from banksman.cli.render.page import Page
    from banksman.hub import Hub

app = App(name="actions", help="List and show what can be done.", version_flags=[])
Hidden = Parameter(parse=False)


@app.command(name="list")
async def list_actions(*, on: str | None = None, session: Annotated[Session, Hidden]) -> Exit:
    """List actions.

    Parameters
    ----------
    on
        All actions of a connection, also those that the system describes itself. By default those that the installed
        connectors know beforehand; nothing is called then.
    """
    async with session.hub() as hub:
        found = dict(await (await hub.connect(on)).actions()) if on is not None else _known(hub)
    document = {"actions": [_line(action) for _, action in sorted(found.items())]}
    session.show(document, lambda page: _draw_list(page, document["actions"]))
    return Exit.DONE


def _known(hub: Hub) -> dict[str, Action[Any, Any]]:
    found: dict[str, Action[Any, Any]] = {}
    for name in hub.registry.names():
        try:
            connector = hub.registry.get(name)
        except BanksmanError:
            continue  # `connectors list` says what is missing
        found |= {action.full_name: action for action in connector.actions}
    return found


def _line(action: Action[Any, Any]) -> dict[str, Any]:
    return {"name": action.full_name, "effect": action.effect.value, "description": action.description}


def _draw_list(page: Page, actions: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from banksman.cli.render.text import outside

    if not actions:
        page.add("There are none.")
    rows: list[list[str | Text]] = []
    for one in actions:
        effect = Text(one["effect"], _EFFECTS.get(one["effect"], ""))
        rows.append([outside(one["name"]), effect, outside(one["description"])])
    page.table(rows)


_EFFECTS = {"read": "dim", "egress": "yellow", "write": "yellow", "send": "cyan", "destroy": "bold red"}


@app.command
async def show(action: str, /, *, on: str | None = None, session: Annotated[Session, Hidden]) -> Exit:
    """Show one action: what it takes and gives, what it does outside, how it is undone.

    Parameters
    ----------
    action
        Its full name, such as slack.messages.post.
    on
        The connection, for actions that the system describes itself.
    """
    async with session.hub() as hub:
        found = await _find(hub, action, on)
    document = _document(found)
    session.show(document, lambda page: _draw(page, document))
    return Exit.DONE


async def _find(hub: Hub, name: str, on: str | None) -> Action[Any, Any]:
    if on is not None:
        return await (await hub.connect(on)).action(name)
    connector = hub.registry.get(name.split(".", 1)[0])
    actions = {action.full_name: action for action in connector.actions}
    if name not in actions:
        hint = "Some actions are read from the system itself: --on CONNECTION." if connector.discover else None
        raise UnknownName("action", name, actions, hint=hint)
    return actions[name]


def _document(action: Action[Any, Any]) -> dict[str, Any]:
    from banksman._change import Compensation, Irreversible, NativeKey, Unknowable

    undo = action.undo
    known = {Irreversible: "irreversible", Compensation: "compensation"}
    reconcile = {NativeKey: "native key", Unknowable: "a person"}.get(type(action.reconcile), "looks it up")
    document = {
        **_line(action),
        "entity": action.entity,
        "targets": list(action.targets),
        "scopes": list(action.scopes),
        "capability": action.capability,
        "docs": action.docs,
        "input": action.input.json_schema,
        "output": action.output_schema,
    }
    if action.effect.changes:
        told = getattr(undo, "why", None) or getattr(undo, "leaves", None)
        document["undo"] = {"kind": known.get(type(undo), "inverse"), "text": told}
        document["reconcile"] = reconcile
    return document


def _draw(page: Page, document: Mapping[str, Any]) -> None:
    from rich.text import Text

    from banksman.cli.render.text import outside

    page.add(Text(document["name"], "bold"), "  ", Text(document["effect"], _EFFECTS.get(document["effect"], "")))
    page.add(outside(document["description"]), indent=2, hang=0)
    if document["docs"]:
        page.add(outside(document["docs"]), indent=2, style="dim")
    page.gap()
    page.add("Takes", style="bold")
    _draw_fields(page, document["input"], document["input"], set(document["input"].get("required", ())))
    page.gap()
    page.add("Gives", style="bold")
    output = _followed(document["output"], document["output"])
    item = _followed(document["output"], output.get("items", {})) if output.get("type") == "array" else output
    if output.get("type") == "array":
        page.add("a list of", indent=2)
    _draw_fields(page, document["output"], item, set())
    if "undo" in document:
        page.gap()
        undo = document["undo"]
        page.add("Undo: ", undo["kind"], outside(f": {undo['text']}" if undo["text"] else ""))
        page.add("Unknown outcome: ", document["reconcile"])


def _draw_fields(page: Page, schema: Mapping[str, Any], node: Mapping[str, Any], required: set[str]) -> None:
    from rich.text import Text

    from banksman.cli.render.text import outside

    properties = node.get("properties", {})
    if not properties:
        page.add(_type(schema, node) if node.get("type") not in (None, "object") else "nothing in particular", indent=2)
    for name, part in properties.items():
        star = "*" if name in required else " "
        told = _followed(schema, part).get("description") or part.get("description") or ""
        default = f" (default {part['default']!r})" if part.get("default") is not None else ""
        page.add(
            f"{star} ", Text.assemble(outside(name), style="bold"), ": ", outside(_type(schema, part) + default),
            outside(f"  {told}" if told else ""), indent=2, hang=6,
        )  # fmt: skip


def _followed(schema: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    for _ in range(8):
        if not isinstance(node, Mapping):
            return {}
        if "$ref" not in node:
            return node
        node = schema.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1])
    return {}


def _type(schema: Mapping[str, Any], part: Any) -> str:
    node = _followed(schema, part)
    if "enum" in node:
        return " | ".join(repr(value) for value in node["enum"])
    for name in ("anyOf", "oneOf"):
        if name in node:
            return " or ".join(dict.fromkeys(_type(schema, one) for one in node[name]))
    if node.get("type") == "array":
        return f"list of {_type(schema, node.get('items', {}))}"
    return str(
        node.get("format") or node.get("title" if node.get("type") == "object" else "type") or node.get("type", "any")
    )

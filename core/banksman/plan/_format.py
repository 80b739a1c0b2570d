"""The runbook: a plan as a file, whether a person wrote it or a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from banksman.errors import PlanError

#: Roots of a reference that are not steps.
RESERVED = frozenset({"inputs", "each", "index", "run"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _identifier(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r}: use letters, digits and underscores, and start with a letter")
    if name in RESERVED:
        raise ValueError(f"{name!r} is taken; references use it for something else")
    return name


StepName = Annotated[str, AfterValidator(_identifier)]
Expression = Annotated[str, Field(examples=["${late.rows}", "${orders[?status=='open']}"])]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Input(_Strict):
    """A value that is given when the runbook is run."""

    type: Literal["string", "integer", "number", "boolean", "date", "array", "object"] = "string"
    description: str = ""
    default: Any = None
    enum: list[Any] | None = None
    required: bool | None = Field(default=None, description="By default: required if there is no default.")

    @property
    def is_required(self) -> bool:
        """Whether a run needs it to be given."""
        return self.default is None if self.required is None else self.required


class Call(_Strict):
    """One action with its arguments."""

    action: str = Field(description="The action's full name.", examples=["slack.messages.post"])
    on: str | None = Field(
        default=None,
        description="The connection: an alias of `connections`, or a configured connection's name. "
        "May be left out where only one connection of the system is named.",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        alias="with",
        description="The arguments: literals, or references such as `${late.rows}`.",
    )


class Step(Call):
    """A call, or one call for each item of a list."""

    description: str = ""
    for_each: Expression | list[Any] | None = Field(default=None, description="A list; `each` is the item.")
    key: str | None = Field(
        default=None,
        description="An expression over `each` that names a round; by default a field that tells the items apart.",
    )
    when: Expression | bool | None = Field(default=None, description="Skip the call where this is false or empty.")
    after: list[str] = Field(default_factory=list, description="Steps to wait for besides those referenced.")
    else_try: list[Call] = Field(
        default_factory=list, description="Other ways, in order, when the call fails and is known not to have happened."
    )

    @property
    def ways(self) -> list[Call]:
        """The call itself, then its alternatives."""
        return [self, *self.else_try]


class Runbook(_Strict):
    """A directed acyclic graph of steps. Steps run as soon as what they reference is there, in parallel."""

    name: str = Field(description="Short and lower case.", examples=["supply-chain-exceptions"])
    goal: str = Field(default="", description="What it is for, as a person would ask for it.")
    version: int = 1
    inputs: dict[StepName, Input] = Field(default_factory=dict)
    connections: dict[str, str] = Field(
        default_factory=dict, description="Alias -> configured connection.", examples=[{"erp": "sap:s4-prod"}]
    )
    steps: dict[StepName, Step] = Field(min_length=1)
    ensures: list[Expression] = Field(
        default_factory=list,
        description="Checked after the run; each must be true.",
        examples=[["${length(move) > `0`}"]],
    )
    outputs: dict[str, Any] = Field(default_factory=dict, description="What the run hands back.")

    def document(self) -> dict[str, Any]:
        """The plain form, without what is at its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def connection_of(self, call: Call) -> str:
        """The configured connection that a call runs on.

        Raises:
            PlanError: it is not said, and not the only one of its system.
        """
        if call.on is not None:
            return self.connections.get(call.on, call.on)
        system = call.action.split(".", 1)[0]
        named = sorted({name for name in self.connections.values() if name.split(":", 1)[0] == system})
        if len(named) == 1:
            return named[0]
        listed = f"there are {', '.join(named)}" if named else f"`connections` names none of {system}"
        raise PlanError(self.name, [f"{call.action}: say `on`; {listed}"])


def load(path: str | Path) -> Runbook:
    """The runbook in a YAML or JSON file.

    Raises:
        PlanError: with every problem and its place.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(str(path), ["there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(str(path), [f"cannot be read: {error}"]) from None
    return parse(text, source=str(path), form="json" if path.suffix == ".json" else "yaml")


def parse(text: str, *, source: str = "runbook", form: Literal["yaml", "json"] = "yaml") -> Runbook:
    """The runbook in a text.

    Raises:
        PlanError: with every problem and its place.
    """
    try:
        document = json.loads(text) if form == "json" else yaml.load(text, Loader=Loader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PlanError(source, [_syntax(error)]) from None
    return build(document, source=source)


def build(document: Any, *, source: str = "runbook") -> Runbook:
    """The runbook of a parsed document.

    Raises:
        PlanError: with every problem and its place.
    """
    if not isinstance(document, Mapping):
        raise PlanError(source, ["a runbook is an object with `name` and `steps`"])
    try:
        return Runbook.model_validate(document)
    except ValidationError as error:
        raise PlanError(source, [_problem(item) for item in error.errors(include_url=False)]) from None


def _problem(item: Any) -> str:
    # Names of dictionary keys appear as `[key]`, union members by their type's name; people need neither.
    place = ".".join(str(part) for part in item["loc"] if part not in ("[key]", "str", "bool") and "[" not in str(part))
    if item["type"] == "extra_forbidden":
        known = ", ".join(sorted(_members(item["loc"])))
        return f"{place}: no such field; there are {known}"
    if item["type"] == "missing":
        return f"{place}: missing"
    message = item["msg"].removeprefix("Value error, ")
    return f"{place}: {message[0].lower() + message[1:]}"


def _members(place: tuple[Any, ...]) -> set[str]:
    model: type[_Strict] = Runbook
    if place[0] == "steps" and len(place) > 2:
        model = Call if "else_try" in place else Step
    elif place[0] == "inputs" and len(place) > 2:
        model = Input
    return {field.alias or name for name, field in model.model_fields.items()}


def _syntax(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or "cannot be parsed"
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return f"cannot be parsed: {error}"


class Loader(yaml.SafeLoader):
    """YAML 1.2's idea of scalars: `on`, `off`, `yes` and dates stay text, and a key twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands there twice", key_node.start_mark)
            seen.add(key if isinstance(key, str) else repr(key))
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: Any, index: Any) -> Any:
        # An alias can unfold a small file to gigabytes; a runbook has no use for one.
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not used here", event.start_mark)
        return super().compose_node(parent, index)


Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
# No octal from a leading zero, no base 60: an order number such as 0045 stays text.
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a runbook, for editors."""
    schema = Runbook.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Banksman runbook",
        **{key: value for key, value in schema.items() if key != "title"},
    }

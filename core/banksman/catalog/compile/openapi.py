"""OpenAPI 3.0, 3.1 and 3.2, and Swagger 2.0: https://spec.openapis.org/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from banksman.catalog import effects
from banksman.catalog.compile import _exchange, _provider
from banksman.catalog.compile._arguments import Arguments
from banksman.catalog.compile._model import first_sentence
from banksman.catalog.entry import Argument, Entry, Refusal, Report
from banksman.catalog.naming import Names, operation_name, path_name
from banksman.catalog.reading import Bounds, DescriptionError
from banksman.catalog.schemas import Broken, Json, Schemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_BRACED = re.compile(r"\{([^{}/]+)\}")
_LONGEST_TEXT = 4000
_PLACES = frozenset({"path", "query", "header", "cookie"})
#: The seam sets these; the specification says that they are ignored as parameters.
_OWN_HEADERS = frozenset({"accept", "content-type", "authorization"})


class OpenApi:
    """One description, read into memory; entries are made when they are asked for.

    Args:
        document: the description.
        system: the name of the system.
        base: the address the description came from, for relative server addresses.

    Raises:
        DescriptionError: it has no paths, or more operations than the bounds allow.
    """

    def __init__(self, document: Json, system: str, *, base: str = "", bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._document = document
        self._paths = document.get("paths") or {}
        if type(self._paths) is not dict:
            raise DescriptionError(f"{system}: `paths` is no object")
        self.swagger = str(document.get("swagger", "")).startswith("2")
        self.report = Report()
        self.schemas = Schemas(document, self.report, self._bounds)
        self.provider = _provider.provider(document, system, base, self.swagger)
        self._names = Names()
        self._prepared: dict[int, tuple[Any, _exchange.Parameter]] = {}

    def definitions(self) -> Iterator[tuple[str, Json]]:
        """The shared schemas that the entries read so far refer to."""
        return self.schemas.drain()

    def entries(self) -> Iterator[Entry]:
        """The operations, in the order of the description."""
        seen = 0
        for path, raw in self._paths.items():
            try:
                item = self.schemas.follow(raw)
            except Broken as error:
                if not path.startswith("x-"):
                    self.report.refused.append(Refusal(path, str(error)))
                continue
            for method, operation in self._operations(item):
                seen += 1
                if seen > self._bounds.operations:
                    raise DescriptionError(
                        f"{self.provider.name}: more than {self._bounds.operations:,} operations",
                        hint="Split the description.",
                    )
                try:
                    if type(operation) is not dict:
                        raise Broken(f"an operation is an object, there is {type(operation).__name__}")
                    yield self._entry(method, path, item, operation)
                except Broken as error:
                    self.report.refused.append(Refusal(f"{method.upper()} {path}", str(error)))
                else:
                    self.report.operations += 1

    def _operations(self, item: Json) -> Iterator[tuple[str, Any]]:
        for method in METHODS:
            if method in item:
                yield method, item[method]
        more = item.get("additionalOperations")
        if type(more) is dict:
            yield from more.items()

    def _entry(self, method: str, path: str, item: Json, operation: Json) -> Entry:
        arguments = Arguments()
        body = None
        bodies = []
        for parameter in self._parameters(item, operation):
            if parameter.place in _PLACES:
                parameter.add(arguments)
            else:
                bodies.append(parameter)
        sent = path.partition("#")[0] or "/"
        self._undeclared(sent, arguments)
        if self.swagger:
            consumes = operation.get("consumes", self._document.get("consumes"))
            body = _exchange.swagger_body(arguments, self.schemas, bodies, consumes)
        elif "requestBody" in operation:
            body = _exchange.body(arguments, self.schemas, operation["requestBody"])
        output, answers, headers = _exchange.output(self.schemas, operation, self.swagger, self._document)
        return self._described(
            Entry(
                name="",
                system=self.provider.name,
                operation=_text(operation.get("operationId")),
                method=method.upper(),
                path=sent,
                described=path if sent != path else "",
                arguments=tuple(arguments.list),
                body=body,
                input=arguments.schema(),
                output=output,
                answers=answers,
                paging=_exchange.paging(arguments, output, headers, operation, self.schemas),
                security=_provider.security(operation.get("security")),
                servers=_provider.servers(operation) or _provider.servers(item) or None,
            ),
            operation,
        )

    def _described(self, entry: Entry, operation: Json) -> Entry:
        """Adds what is said in words, the name, and the effect that is concluded from all that."""
        path = entry.described or entry.path
        plain = operation_name(entry.operation, entry.method, path, entry.system)
        name = self._names.free(plain, lambda: path_name(entry.method, path))
        entry.name = f"{entry.system}.{name}"
        entry.description = _text(operation.get("description"))[:_LONGEST_TEXT]
        entry.summary = _text(operation.get("summary"))[:400] or first_sentence(entry.description)
        if entry.description == entry.summary:
            entry.description = ""
        external = operation.get("externalDocs")
        entry.docs = _text(external.get("url")) if type(external) is dict else ""
        entry.deprecated = operation.get("deprecated") is True
        tags = operation.get("tags")
        entry.tags = tuple(tag for tag in tags if type(tag) is str) if type(tags) is list else ()
        entry.effect, entry.reason = effects.infer(entry)
        return entry

    def _parameters(self, item: Json, operation: Json) -> Iterator[_exchange.Parameter]:
        """Those of the operation, then those of its path that it does not replace."""
        own = operation.get("parameters") or ()
        shared = item.get("parameters") or ()
        if type(own) not in (list, tuple) or type(shared) not in (list, tuple):
            raise Broken("`parameters` is no list")
        for raw in (*own, *shared):
            parameter = self._parameter(raw)
            if parameter is not None:
                yield parameter

    def _parameter(self, raw: Any) -> _exchange.Parameter | None:
        """Prepared once, however many operations refer to it."""
        target = self.schemas.follow(raw)
        known = self._prepared.get(id(target))
        if known is None:
            known = (target, _exchange.parameter(target, self.schemas, self.swagger))
            self._prepared[id(target)] = known
        parameter = known[1]
        if parameter.place == "header" and parameter.wire.lower() in _OWN_HEADERS:
            return None
        return parameter

    def _undeclared(self, path: str, arguments: Arguments) -> None:
        """Path arguments that the description forgot, and those declared that the path has no room for."""
        wanted = _BRACED.findall(path)
        declared = {argument.wire for argument in arguments.list if argument.place == "path"}
        for name in wanted:
            if name not in declared:
                arguments.add("path", name, {"type": "string"}, required=True)
        for argument in [held for held in arguments.list if held.place == "path" and held.wire not in wanted]:
            _drop(arguments, argument)


def _drop(arguments: Arguments, argument: Argument) -> None:
    arguments.list.remove(argument)
    del arguments.properties[argument.name]
    if argument.name in arguments.required:
        arguments.required.remove(argument.name)


def _text(value: Any) -> str:
    return value.strip() if type(value) is str else ""

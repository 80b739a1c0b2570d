"""The README's connector works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from banksman import Connection, OpenConnection, Settings, Wiring
from banksman._gate import sending
from banksman.http import HttpApi
from banksman.testing.sandbox import Answer, Call, Sandbox

README = Path(__file__).parents[1] / "README.md"


class Notes(Sandbox):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[dict[str, str]] = []

    def handle(self, call: Call) -> Answer:
        if call.method == "POST":
            self.notes.append({"id": f"n{len(self.notes) + 1}", "text": call.json["text"]})
            return Answer(201, self.notes[-1])
        return Answer(200, self.notes)


def connector_of_the_readme() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code, str(README), "exec", dont_inherit=True), names)
    return names["connector"]


async def test_the_first_connector_previews_sends_and_finds_its_write():
    from banksman import auth
    from banksman.auth import Secret

    connector = connector_of_the_readme()
    with Notes() as server:
        token = auth.build(connector.auth, {"kind": "bearer", "token": "x:y"}, lambda _: Secret(server.token))
        connection = Connection("notes:a", "notes", settings=Settings(base_url=server.url))
        api: HttpApi = connector.open(connector, connection, Wiring(auth=token))
        opened = OpenConnection(connector, connection, api)
        create = await opened.action("notes.create")

        change = await opened.prepare(create, {"text": "hello"})
        assert server.notes == []
        assert change.after == {"text": "hello"}

        with sending(request.fingerprint for request in change.requests):
            note = await opened.send(create, change)
        assert server.notes == [{"id": "n1", "text": "hello"}]
        assert note.id == "n1"

        listed = await opened.read(await opened.action("notes.list"), {})
        assert [one.text for one in listed] == ["hello"]
        await api.aclose()

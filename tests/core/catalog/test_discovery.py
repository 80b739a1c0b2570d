"""Google Discovery documents become entries."""

from __future__ import annotations

from typing import Any

from tests.core.catalog.described import compiled


def document() -> dict[str, Any]:
    send = {
        "id": "mail.users.messages.send", "httpMethod": "POST", "path": "v1/{+name}/messages:send",
        "flatPath": "v1/users/{usersId}/messages:send", "description": "Sends a message. It cannot be recalled.",
        "parameterOrder": ["name"], "request": {"$ref": "Message"}, "response": {"$ref": "Message"},
        "scopes": ["https://auth.example/mail.send", "https://auth.example/mail"],
        "parameters": {
            "pageSize": {"location": "query", "type": "integer", "minimum": "1", "default": "20"},
            "labels": {"location": "query", "type": "string", "repeated": True, "description": "Names."},
            "name": {"location": "path", "type": "string", "required": True, "pattern": "^users/[^/]+$"},
        },
    }  # fmt: skip
    message = {
        "id": "Message", "type": "object",
        "properties": {
            "raw": {"type": "string", "format": "byte"}, "parts": {"type": "array", "items": {"$ref": "Part"}},
            "id": {"type": "string", "readOnly": True},
        },
    }  # fmt: skip
    part = {"id": "Part", "type": "object", "properties": {"parts": {"type": "array", "items": {"$ref": "Part"}}}}
    return {
        "kind": "discovery#restDescription", "discoveryVersion": "v1", "rootUrl": "https://mail.example/",
        "servicePath": "", "parameters": {"alt": {"type": "string", "location": "query"}},
        "auth": {"oauth2": {"scopes": {"https://auth.example/mail": {"description": "All mail"}}}},
        "resources": {"users": {"resources": {"messages": {"methods": {"send": send, "broken": {"id": "x"}}}}}},
        "schemas": {"Message": message, "Part": part},
    }  # fmt: skip


def test_a_method_of_a_nested_resource_is_compiled():
    entries, definitions, compiler = compiled(document(), "google_mail")
    entry = entries["users.messages.send"]
    assert entry.operation == "mail.users.messages.send"
    assert entry.path == "/v1/{name}/messages:send"
    assert [(a.name, a.place, a.style) for a in entry.arguments] == [
        ("name", "path", "reserved"),
        ("pageSize", "query", None),
        ("labels", "query", None),
        ("raw", "body", None),
        ("parts", "body", None),
    ]
    properties = entry.input["properties"]
    assert properties["pageSize"] == {"type": "integer", "minimum": 1, "default": 20}
    assert properties["labels"] == {"type": "array", "items": {"type": "string"}, "description": "Names."}
    assert entry.input["required"] == ["name"]
    assert entry.output == {"$ref": "#/$defs/Message"}
    assert entry.summary == "Sends a message."
    assert set(definitions) == {"Message", "Part"}
    assert compiler.report.operations == 1
    assert [refusal.place for refusal in compiler.report.refused] == ["users.messages.broken"]


def test_any_one_scope_is_enough_and_facts_stand_apart():
    entries, _, compiler = compiled(document(), "google_mail")
    assert entries["users.messages.send"].security == [
        {"oauth2": ["https://auth.example/mail.send"]},
        {"oauth2": ["https://auth.example/mail"]},
    ]
    assert compiler.provider.servers == [{"url": "https://mail.example/"}]
    assert compiler.provider.facts == {"parameters": ["alt"]}
    flow = compiler.provider.auth["oauth2"]["flows"]["authorizationCode"]
    assert flow["scopes"] == {"https://auth.example/mail": "All mail"}

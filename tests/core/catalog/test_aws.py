"""AWS service models become entries."""

from __future__ import annotations

from typing import Any

from tests.core.catalog.described import compiled


def model(protocol: str, **metadata: Any) -> dict[str, Any]:
    put = {
        "name": "PutThing", "http": {"method": "PUT", "requestUri": "/{Bucket}/{Key+}"},
        "input": {"shape": "PutRequest"}, "output": {"shape": "Tree"},
        "documentation": "<p>Puts a <code>thing</code> &amp; more.</p> <p>Second.</p>",
    }  # fmt: skip
    return {
        "metadata": {"protocol": protocol, "endpointPrefix": "things", "apiVersion": "2020-01-01", **metadata},
        "operations": {"PutThing": put, "Bare": {"http": {}, "input": {"shape": "Broken"}}},
        "shapes": {
            "PutRequest": {"type": "structure", "required": ["Bucket", "Key"], "payload": "Body", "members": {
                "Bucket": {"shape": "Name", "location": "uri", "locationName": "Bucket"},
                "Key": {"shape": "Name", "location": "uri", "locationName": "Key"},
                "Acl": {"shape": "Acl", "location": "header", "locationName": "x-amz-acl"},
                "Body": {"shape": "Blob"}, "Tree": {"shape": "Tree"}}},
            "Broken": {"type": "structure", "members": {"A": {}}},
            "Name": {"type": "string", "min": 1, "max": 63}, "Acl": {"type": "string", "enum": ["a", "b", "a"]},
            "Blob": {"type": "blob"},
            "Tree": {"type": "structure", "members": {"children": {"shape": "Trees"}, "at": {"shape": "When"}}},
            "Trees": {"type": "list", "member": {"shape": "Tree"}}, "When": {"type": "timestamp"},
        },
    }  # fmt: skip


def test_members_go_where_the_rest_protocols_put_them():
    entries, definitions, compiler = compiled(model("rest-xml"), "aws_things")
    entry = entries["put_thing"]
    assert entry.path == "/{Bucket}/{Key}"
    assert [(a.name, a.place, a.wire, a.style) for a in entry.arguments] == [
        ("Bucket", "path", "Bucket", None),
        ("Key", "path", "Key", "reserved"),
        ("x-amz-acl", "header", "x-amz-acl", None),
        ("Body", "content", "Body", None),
        ("Tree", "body", "Tree", None),
    ]
    assert entry.input["properties"]["Bucket"] == {"type": "string", "minLength": 1, "maxLength": 63}
    assert entry.input["properties"]["x-amz-acl"]["enum"] == ["a", "b"]
    assert entry.summary == "Puts a thing & more."
    assert definitions == {
        "Tree": {
            "type": "object",
            "properties": {"children": {"$ref": "#/$defs/Trees"}, "at": {"type": "string", "format": "date-time"}},
        },
        "Trees": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
    }
    assert [refusal.place for refusal in compiler.report.refused] == ["Bare"]


def test_the_other_protocols_put_all_in_the_body_and_name_the_operation():
    json_entries, _, _ = compiled(model("json", targetPrefix="Things_2020"), "aws_things")
    query_entries, _, _ = compiled(model("query"), "aws_things")
    assert json_entries["put_thing"].facts == {"target": "Things_2020.PutThing"}
    assert json_entries["put_thing"].arguments[2].place == "body"
    assert query_entries["put_thing"].facts == {"action": "PutThing", "version": "2020-01-01"}
    assert query_entries["put_thing"].arguments[2].place == "form"


def test_pages_are_known_from_the_paginators():
    pages = {"PutThing": {"input_token": "From", "output_token": "Next", "result_key": "Things"}}
    entries, _, compiler = compiled(model("json"), "aws_things", extra={"pagination": pages})
    assert entries["put_thing"].paging == {
        "by": "token", "argument": "From", "answer": "Next", "items": "Things", "size": None,
    }  # fmt: skip
    assert compiler.provider.servers[0]["url"] == "https://things.{region}.amazonaws.com"

"""The effect of a compiled operation is concluded from its words, and errs to the worse side."""

from __future__ import annotations

from typing import Any

import pytest

from banksman.catalog.effects import infer
from banksman.catalog.entry import Argument, Entry


def entry(method: str, path: str, operation: str = "", summary: str = "", **more: Any) -> Entry:
    return Entry("x.y", "x", operation, method, path, summary=summary, **more)


def effect(method: str, path: str, operation: str = "", summary: str = "", **more: Any) -> str:
    return infer(entry(method, path, operation, summary, **more))[0].value


@pytest.mark.parametrize(
    ("expected", "method", "path", "operation", "summary"),
    [
        ("read", "GET", "/pets", "listPets", ""),
        ("read", "GET", "/posts", "", "Post archive"),
        ("read", "POST", "/pets/search", "", ""),
        ("read", "POST", "/v1/things:query", "", ""),
        ("read", "POST", "/v1/things:testIamPermissions", "things.testIamPermissions", "Returns permissions"),
        ("read", "POST", "/addresses/validate", "validateAddress", ""),
        ("read", "POST", "/risk", "", "Calculates the value at risk"),
        ("write", "GET", "/vm/1/stop", "stopVm", "Stops the machine"),
        ("send", "GET", "/sms", "", "Sends a text message"),
        ("send", "GET", "/sendMessage", "", ""),
        ("destroy", "GET", "/pets/delete", "deletePet", ""),
        ("write", "POST", "/pets", "addPet", "Add a pet"),
        ("write", "PUT", "/notifications", "mark_notifications_as_read", "Mark notifications as read"),
        ("send", "POST", "/messages", "createMessage", ""),
        ("write", "POST", "/message-templates", "createMessageTemplate", ""),
        ("send", "PUT", "/repos/{r}/collaborators/{u}", "addCollaborator", ""),
        ("send", "POST", "/v1/things:setIamPolicy", "things.setIamPolicy", ""),
        ("send", "POST", "/hooks/{id}/test", "testHook", "Sends a test event"),
        ("send", "POST", "/channels/{id}/test", "testNotification", ""),
        ("egress", "POST", "/hooks", "createHook", "Create a hook"),
        ("destroy", "DELETE", "/pets/{id}", "deletePet", ""),
        ("destroy", "DELETE", "/pets/{id}", "", ""),
        ("destroy", "POST", "/pets/{id}/purge", "", ""),
        ("destroy", "POST", "/servers/{id}/rebuild", "", "Rebuilds a server, destroying all data on its disk"),
        ("write", "DELETE", "/pets/{id}/tags", "untagResource", "Removes tags from a resource"),
        ("write", "DELETE", "/issues/{id}/labels/{name}", "removeLabel", "Remove a label from an issue"),
        ("write", "DELETE", "/issues/{id}/assignees/{who}", "unassign", ""),
        ("write", "POST", "/trash/{id}/restore", "", "Restores what would be permanently deleted"),
    ],
)
def test_the_words_of_an_operation_tell_its_effect(expected: str, method: str, path: str, operation: str, summary: str):
    assert effect(method, path, operation, summary) == expected


@pytest.mark.parametrize(
    ("expected", "operation", "summary"),
    [
        ("read", "DescribeThings", "Describes things."),
        ("write", "IncreaseReplicaCount", "Increases the number of replicas."),
        ("write", "UntagResource", "Removes tags."),
        ("destroy", "TerminateInstances", "Shuts down instances."),
        ("send", "SendMessage", "Delivers a message to a queue."),
        ("send", "PutBucketPolicy", "Applies a policy to a bucket."),
        ("send", "GetVerificationCode", "Given a name, sends a user verification code to the address."),
        ("write", "FrobnicateThing", "Returns a frobnicated thing."),
    ],
)
def test_the_name_of_an_aws_operation_starts_with_its_verb(expected: str, operation: str, summary: str):
    assert effect("POST", "/", operation, summary, protocol="aws") == expected


def test_a_read_that_fetches_an_address_of_the_callers_is_egress():
    url = (Argument("url", "query", "url", required=True),)
    assert effect("GET", "/scrape", "scrapePage", arguments=url, input={"required": ["url"]}) == "egress"
    assert effect("GET", "/bookmarks", "listBookmarks", arguments=url, input={}) == "read"


def test_an_export_to_a_place_of_the_callers_is_egress():
    place = (Argument("outputConfig", "body", "outputConfig"),)
    assert effect("POST", "/v1/things:export", "things.export", arguments=place) == "egress"
    assert effect("POST", "/v1/things:export", "things.export") == "read"


def test_a_danger_named_elsewhere_outweighs_a_harmless_name():
    assert effect("POST", "/pets/check", "checkPet", "Deletes the pet and returns it") == "destroy"


def test_the_reason_says_where_the_effect_was_read():
    assert infer(entry("POST", "/v1/topics:publish", "topics.publish"))[1] == "the path's custom method says 'publish'"
    assert infer(entry("PATCH", "/pets"))[1] == "the method says 'PATCH'"

"""Channels by id and by name."""

from __future__ import annotations

import pytest

from banksman.errors import AccessDenied, ArgumentError, MalformedAnswer, NotFound
from banksman.testing.sandbox import Answer
from banksman_connectors.slack.sandbox import BUYERS, DIRECT, OLD, PARTNERS, TOM, SlackSandbox

from .desk import Desk, open_desk


def calls(slack: SlackSandbox, method: str) -> int:
    return [call.path for call in slack.calls].count(f"/api/{method}")


async def test_a_channel_is_found_by_id_and_by_name(desk: Desk) -> None:
    by_id = await desk.read("channels.get", channel=BUYERS)
    assert by_id == await desk.read("channels.get", channel="#buyers")
    assert (by_id.name, by_id.topic, by_id.members, by_id.member) == ("buyers", "Purchase orders", 12, True)
    assert not by_id.external
    assert (await desk.read("channels.get", channel="#partners")).external
    assert (await desk.read("channels.get", channel=DIRECT)).person == "U0BEA"


async def test_a_name_is_looked_up_once_and_again_when_it_moved(desk: Desk, slack: SlackSandbox) -> None:
    await desk.read("channels.get", channel="#buyers")
    await desk.read("channels.get", channel="#buyers")
    assert calls(slack, "conversations.list") == 1
    slack.channels[BUYERS]["name"] = "purchasing"
    slack.channels[PARTNERS]["name"] = "buyers"
    assert (await desk.read("channels.get", channel="#buyers")).id == PARTNERS
    assert calls(slack, "conversations.list") == 2


async def test_a_name_is_found_on_any_page(desk: Desk, slack: SlackSandbox) -> None:
    template = slack.channels[BUYERS]
    for number in range(1100):
        slack.channels[f"C0N{number:05}"] = {**template, "id": f"C0N{number:05}", "name": f"noise-{number}"}
    slack.channels["C0LAST0"] = {**template, "id": "C0LAST0", "name": "last"}
    assert (await desk.read("channels.get", channel="#last")).id == "C0LAST0"
    assert calls(slack, "conversations.list") == 2


async def test_a_name_that_is_not_there_lists_the_near_ones(desk: Desk) -> None:
    with pytest.raises(NotFound, match=r"no channel #buyer; there are #buyers"):
        await desk.read("channels.get", channel="#buyer")
    with pytest.raises(NotFound, match=r"no channel #zzz; there are #buyers, #logistics"):
        await desk.read("channels.get", channel="#zzz")


async def test_a_name_that_two_channels_have_needs_an_id(desk: Desk, slack: SlackSandbox) -> None:
    slack.channels[PARTNERS]["name"] = "buyers"
    with pytest.raises(NotFound, match="2 channels are called #buyers") as unclear:
        await desk.read("channels.get", channel="#buyers")
    assert BUYERS in str(unclear.value)
    assert PARTNERS in str(unclear.value)


async def test_a_private_channel_is_found_by_its_members_only(desk: Desk, slack: SlackSandbox) -> None:
    with pytest.raises(NotFound):
        await desk.read("channels.get", channel="#board")
    slack.channels["C0BOARD"]["members"].append("U0BANKSMAN")
    assert (await desk.read("channels.get", channel="#board")).private


async def test_names_are_found_without_the_scope_for_private_channels() -> None:
    with SlackSandbox(scopes="channels:read") as slack:
        desk = open_desk(slack.api_url, slack.token)
        assert (await desk.read("channels.get", channel="#buyers")).id == BUYERS
        with pytest.raises(AccessDenied, match="groups:read"):
            await desk.read("channels.list", private=True)
        await desk.opened.aclose()


async def test_any_other_refusal_of_the_list_is_an_error(desk: Desk, slack: SlackSandbox) -> None:
    slack.fail(path="conversations.list", answer=Answer(200, {"ok": False, "error": "access_denied"}))
    with pytest.raises(AccessDenied, match="access_denied"):
        await desk.read("channels.get", channel="#buyers")
    assert calls(slack, "conversations.list") == 1


async def test_a_list_has_what_was_asked_for(desk: Desk) -> None:
    names = [channel.name for channel in await desk.read("channels.list")]
    assert names == ["buyers", "logistics", "partners"]
    assert OLD in [channel.id for channel in await desk.read("channels.list", archived=True)]
    assert len(await desk.read("channels.list", limit=2)) == 2


@pytest.mark.parametrize("channel", ["buyers", "#", "#a b", "C0buyers", "U0BEA", "#a<b", "", f"#{'x' * 81}"])
async def test_what_is_no_channel_is_refused_before_slack_is_asked(
    desk: Desk, slack: SlackSandbox, channel: str
) -> None:
    with pytest.raises(ArgumentError):
        await desk.read("channels.get", channel=channel)
    assert slack.calls == []


async def test_a_list_that_never_ends_is_malformed(desk: Desk, slack: SlackSandbox) -> None:
    page = {"ok": True, "channels": [], "response_metadata": {"next_cursor": "again"}}
    slack.fail(path="conversations.list", times=5, answer=Answer(200, page))
    with pytest.raises(MalformedAnswer, match="was read as the next one"):
        await desk.read("channels.list")
    assert calls(slack, "conversations.list") == 2


async def test_people_are_found_by_id_and_by_address(desk: Desk) -> None:
    tom = await desk.read("users.get", user=TOM)
    assert (tom.real_name, tom.email, tom.bot) == ("Tom Trucks", "tom@harbour-works.example", False)
    assert await desk.read("users.find", email="tom@harbour-works.example") == tom
    with pytest.raises(NotFound):
        await desk.read("users.find", email="nobody@harbour-works.example")
    with pytest.raises(NotFound):
        await desk.read("users.get", user="U0NOBODY")
    listed = await desk.read("users.list")
    assert [(user.name, user.bot, user.external) for user in listed] == [
        ("bea", False, False),
        ("tom", False, False),
        ("pat", False, True),
        ("banksman", True, False),
    ]

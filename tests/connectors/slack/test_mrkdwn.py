"""What leaves is what Slack keeps, and a stranger's text alerts nobody."""

from __future__ import annotations

import pytest

from banksman_connectors.slack.mrkdwn import broadcasts, notes, written


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("PO 4500000017 is late", "PO 4500000017 is late"),
        ("R&D: 3 < 5 > 2", "R&amp;D: 3 &lt; 5 &gt; 2"),
        ("already &amp; &lt;escaped&gt;", "already &amp; &lt;escaped&gt;"),
        ("&copy; is no entity here", "&amp;copy; is no entity here"),
        ("> quoted", "&gt; quoted"),
        ("see https://track.example/a?x=1&y=2.", "see <https://track.example/a?x=1&amp;y=2>."),
        ("(https://track.example/a)", "(<https://track.example/a>)"),
        ("*https://track.example*", "*<https://track.example>*"),
        ("<https://track.example|the parcel>", "<https://track.example|the parcel>"),
        ("<https://track.example/?a=1&b=2|A & B>", "<https://track.example/?a=1&amp;b=2|A &amp; B>"),
        ("ask <@U0BEA> in <#C0BUYERS|buyers>", "ask <@U0BEA> in <#C0BUYERS|buyers>"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<@ U0BEA>", "&lt;@ U0BEA&gt;"),
        ("<!date^1392734382^{date}|today>", "<!date^1392734382^{date}|today>"),
        ("<!channel> now", "&lt;!channel&gt; now"),
        ("<!here|here>", "&lt;!here|here&gt;"),
        ("<!subteam^S0BUY|@buy>", "&lt;!subteam^S0BUY|@buy&gt;"),
        ("<<!everyone>>", "&lt;&lt;!everyone&gt;&gt;"),
        ("<!chan<!here>nel>", "&lt;!chan&lt;!here&gt;nel&gt;"),
        ("<@⟦00000000000000ff:find:id⟧>", "<@⟦00000000000000ff:find:id⟧>"),
        ("grün 🌊\n", "grün 🌊\n"),
    ],
)
def test_a_text_is_sent_as_slack_gives_it_back(text: str, sent: str) -> None:
    assert written(text, alert=False) == sent
    assert written(sent, alert=False) == sent
    assert broadcasts(sent) == []


def test_only_who_asks_for_it_alerts() -> None:
    text = "<!here> & <!channel|all>: <!here>"
    assert written(text, alert=True) == "<!here> &amp; <!channel|all>: <!here>"
    assert broadcasts(text) == ["<!here>", "<!channel>"]


def test_notes_say_whom_a_text_alerts_and_where_it_leads() -> None:
    text = "<!here> <@U0BEA|Tom> <@U0BEA> <https://evil.example/\u202ex|https://bank.example> <mailto:a@b.example>"
    assert notes(text, written(text, alert=True)) == [
        "alerts everybody it reaches at once: <!here>",
        "mentions, and so notifies, @U0BEA",
        "links to https://evil.example/ x (shown as 'https://bank.example'), mailto:a@b.example",
    ]
    assert notes("<!here>", written("<!here>", alert=False)) == [
        "<!here> is sent as plain words and alerts nobody; set alert to change that"
    ]
    assert notes("plain", "plain") == []


def test_a_hostile_text_is_read_in_linear_time() -> None:
    for piece in ("<", "<!date^", "<a:", "https://", "<@", "&", "|", "<https://x|"):
        assert written(piece * 20_000, alert=False)

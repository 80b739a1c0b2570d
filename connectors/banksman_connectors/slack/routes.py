"""What each method does. Slack takes every method by GET and by POST alike, so the verb says nothing.

https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

from banksman import Effect
from banksman.http import Routes

_READS = """
    api.test auth.test bots.info
    conversations.list conversations.info conversations.history conversations.replies conversations.members
    users.list users.info users.lookupByEmail users.conversations users.getPresence users.profile.get
    reactions.get reactions.list pins.list bookmarks.list team.info usergroups.list usergroups.users.list
    chat.getPermalink chat.scheduledMessages.list emoji.list files.info files.list
"""

ROUTES = Routes(
    [
        *(("*", f"/{method}", Effect.READ) for method in _READS.split()),
        ("*", "/chat.postMessage", Effect.SEND),
        ("*", "/chat.update", Effect.WRITE),
        ("*", "/chat.delete", Effect.DESTROY),
        # A method that is not listed counts as the worst there is, also when it is called by GET.
        ("*", "/{method...}", Effect.DESTROY),
    ]
)

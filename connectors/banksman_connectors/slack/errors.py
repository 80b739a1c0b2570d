"""From Slack's codes to what the caller does next.

Slack answers 200 also when it refuses: the body then says `"ok": false` and the code. Each method's page lists its own
codes, as does https://docs.slack.dev/reference/methods/chat.postMessage#errors.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import httpx

from banksman.errors import (
    AccessDenied,
    AuthFailed,
    CallError,
    Conflict,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from banksman.http import ErrorTable, Fault, read_json, scrub

log = logging.getLogger("banksman.slack")

_CODES: dict[type[CallError], str] = {
    AuthFailed: """
        not_authed invalid_auth account_inactive token_revoked token_expired two_factor_setup_required
        not_allowed_token_type""",
    AccessDenied: """
        missing_scope no_permission access_denied accesslimited team_access_not_granted ekm_access_denied
        enterprise_is_restricted org_login_required not_in_channel restricted_action
        restricted_action_read_only_channel restricted_action_thread_only_channel
        restricted_action_non_threadable_channel restricted_action_thread_locked cant_update_message
        cant_delete_message compliance_exports_prevent_deletion as_user_not_supported
        slack_connect_file_link_sharing_blocked method_not_supported_for_channel_type""",
    NotFound: """
        channel_not_found message_not_found thread_not_found user_not_found users_not_found user_not_visible
        team_not_found""",
    Conflict: "edit_window_closed streaming_state_conflict external_channel_migrating block_mismatch",
    Rejected: """
        is_archived is_inactive msg_too_long no_text invalid_blocks invalid_attachments too_many_attachments
        invalid_metadata_format invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app
        invalid_arguments invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type
        missing_post_type invalid_cursor invalid_limit invalid_types invalid_ts_latest invalid_ts_oldest
        deprecated_endpoint method_deprecated unknown_method""",
    RateLimited: "ratelimited rate_limited message_limit_exceeded",
    # The request never got as far as the method.
    Unavailable: "request_timeout team_added_to_org",
    # "It's possible some aspect of the operation succeeded", as Slack's pages say of the first two.
    OutcomeUnknown: "internal_error fatal_error service_unavailable update_failed",
}
_HINTS = {
    "missing_scope": "Add the scope to the app, install it again, and use the new token.",
    "not_in_channel": "Invite the app into the channel: /invite @app.",
    "channel_not_found": "Private channels are found only by their members: invite the app, or check the id.",
    "cant_update_message": "Only messages that this account wrote can be changed.",
    "cant_delete_message": "Only messages that this account wrote can be deleted, except by an administrator's token.",
    "msg_too_long": "Slack takes up to 40,000 characters in a new message, and about 4,000 when one is changed.",
    "is_archived": "Unarchive the channel, or choose another one.",
    "not_allowed_token_type": "Use a bot token (xoxb-) or a user token (xoxp-).",
}


class SlackErrors(ErrorTable):
    """A code that leaves the outcome of a write unknown says of a read only that it failed."""

    def check(self, response: httpx.Response, *, changes: bool) -> None:
        try:
            super().check(response, changes=changes)
        except OutcomeUnknown as error:
            if changes:
                raise
            raise Unavailable(error.message, code=error.code, status=error.status) from None


def fault(response: httpx.Response) -> Fault | None:
    """The code and the text of a refusal, with what Slack adds to it: the missing scope, messages on arguments."""
    body = read_json(response)
    if not isinstance(body, dict) or body.get("ok") is not False:
        return None
    code = str(body.get("error") or "unknown_error")
    parts = [code.replace("_", " ")]
    parts += [f"{name} {body[name]}" for name in ("needed", "provided") if isinstance(body.get(name), str)]
    return code, "; ".join([*parts, *_messages(body)])


def body_of(response: httpx.Response) -> dict[str, Any]:
    """The body of an answer that was checked for faults. Warnings in it go to the log.

    Raises:
        MalformedAnswer: it does not say that it is ok.
    """
    body = read_json(response)
    if not isinstance(body, dict) or body.get("ok") is not True:
        raise MalformedAnswer(
            'the answer does not say "ok"',
            status=response.status_code,
            hint="Is base_url Slack's API (https://slack.com/api)?",
        )
    if body.get("warning"):
        log.warning("Slack warns: %s", scrub("; ".join([str(body["warning"])[:200], *_messages(body)])))
    return body


def _messages(body: dict[str, Any]) -> Iterable[str]:
    metadata = body.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return [str(message)[:200] for message in messages[:3]] if isinstance(messages, list) else []


ERRORS = SlackErrors(
    codes={code: kind for kind, codes in _CODES.items() for code in codes.split()}, fault=fault, hints=_HINTS
)

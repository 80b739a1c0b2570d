"""slack-sdk's client with its way out replaced by the seam. Importing this module imports slack_sdk."""

from __future__ import annotations

import logging
from typing import Any, NoReturn
from urllib.request import Request as UrllibRequest

from slack_sdk import WebClient, version

from banksman.errors import ConfigError, UsageError
from banksman.http import HttpApi
from banksman.http.bridges import Bridge
from banksman_connectors.slack.errors import body_of

#: The doors of slack-sdk's client. They are private: in a version without them, overriding them would close nothing.
_DOORS = ("_perform_urllib_http_request_internal", "_upload_file")
if missing := [door for door in _DOORS if not hasattr(WebClient, door)]:
    raise ConfigError(
        f"slack-sdk {version.__version__} sends by other means than WebClient.{missing[0]}, past the seam",
        hint="Install slack-sdk 3.40 to 3.48, or a Banksman that knows this version.",
    )


class SeamWebClient(WebClient):
    """A `WebClient` of one connection: it builds requests, the seam sends them.

    The credential is the connection's, retries are the seam's, and proxy settings of the environment mean nothing
    here. Its own logger, registered nowhere, keeps message texts out of the logs.
    """

    def __init__(self, api: HttpApi) -> None:
        quiet = logging.Logger("banksman.slack.sdk", logging.CRITICAL)
        super().__init__(token=None, base_url=api.base_url, retry_handlers=[], logger=quiet)
        self._bridge = Bridge(api.sync)

    def _perform_urllib_http_request_internal(self, url: str, req: UrllibRequest) -> dict[str, Any]:
        """The one place where slack-sdk's blocking client sends; its argument is complete."""
        data = req.data or b""
        if not isinstance(data, bytes):
            raise UsageError(f"slack-sdk streams the body of {url}; nothing was sent")
        request = self._bridge.request(req.get_method(), req.full_url, dict(req.header_items()), data)
        changes = self._bridge.api.effect_of(request).changes
        response = self._bridge.send(request)
        self._bridge.api.errors.check(response, changes=changes)
        body = body_of(response)
        headers = dict(response.headers.items())
        return {"status": response.status_code, "headers": headers, "body": response.text, "parsed_body": body}

    def _upload_file(self, **parts: Any) -> NoReturn:
        """The other door: slack-sdk opens a connection of its own to upload a file's content."""
        raise UsageError(
            "slack-sdk uploads files past the seam, where nobody could see it; nothing was uploaded",
            hint="Share a link to the file instead.",
        )

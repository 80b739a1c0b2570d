"""What flows leave in `request.extensions` for whoever sends the request."""

from typing import Final

#: True on a token request that a flow adds. The seam lets marked requests pass in preview mode.
TOKEN_REQUEST: Final = "banksman.auth"  # noqa: S105
#: The address without the key, on a request that carries an API key as a query parameter. This is the one to show,
#: to record and to compare with what was approved.
UNSIGNED_URL: Final = "banksman.auth.url"

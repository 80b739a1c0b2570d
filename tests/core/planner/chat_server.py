"""A server on loopback that speaks OpenAI's Chat Completions, with answers from a script.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from typing import Any

from banksman.testing.sandbox import Answer, Call, Sandbox


class ChatServer(Sandbox):
    """Answers `POST /v1/chat/completions` with the next of `lines`; the last one again and again."""

    title = "chat completions"

    def __init__(self, *lines: str, key: str | None = None, finish: str = "stop") -> None:
        super().__init__(token=key)
        self.lines = lines
        self.key = key
        self.finish = finish
        self.asked: list[dict[str, Any]] = []

    def authorized(self, call: Call) -> bool:
        return self.key is None or super().authorized(call)

    def refused(self, call: Call) -> Answer:
        given = call.headers.get("authorization", "").removeprefix("Bearer ")
        # As OpenAI does: a part of the key stands in the message.
        told = f"Incorrect API key provided: {given[:5]}***{given[-4:]}"
        return Answer(401, {"error": {"message": told, "code": "invalid_api_key"}})

    def handle(self, call: Call) -> Answer:
        if (call.method, call.path) != ("POST", "/v1/chat/completions"):
            return super().handle(call)
        self.asked.append(json.loads(call.body))
        line = self.lines[min(len(self.asked), len(self.lines)) - 1]
        choice = {"index": 0, "finish_reason": self.finish, "message": {"role": "assistant", "content": line}}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        model = self.asked[-1]["model"]
        return Answer(
            200,
            {
                "id": f"chat-{len(self.asked)}",
                "object": "chat.completion",
                "created": 1_760_000_000,
                "model": model,
                "choices": [choice],
                "usage": usage,
            },
        )

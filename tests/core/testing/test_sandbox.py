"""A sandbox keeps state, asks for its token, and goes wrong on demand."""

from __future__ import annotations

import threading

import httpx
import pytest

from banksman.testing import Answer, Call, Sandbox


class Counter(Sandbox):
    """Counts; `POST /add` adds what it is given."""

    title = "counter"

    def __init__(self, *, token: str | None = None) -> None:
        super().__init__(token=token)
        self.total = 0

    def handle(self, call: Call) -> Answer:
        if (call.method, call.path) == ("POST", "/add"):
            self.total += call.json.get("n", 1)
            return Answer(201, {"total": self.total}, {"x-total": str(self.total)})
        if call.path == "/break":
            raise RuntimeError("a bug in the sandbox")
        if call.path == "/raw":
            return Answer(200, b"\x00\xff", {"content-type": "image/png"})
        if call.path == "/none":
            return Answer(204)
        if call.path.startswith("/echo"):
            return Answer(200, {"path": call.path, "query": dict(call.query), "form": call.form})
        return super().handle(call)


def client(sandbox: Sandbox, token: str | None = None) -> httpx.Client:
    headers = {"authorization": f"Bearer {token or sandbox.token}"}
    return httpx.Client(base_url=sandbox.url, headers=headers, trust_env=False)


def test_it_keeps_state_and_remembers_its_calls() -> None:
    with Counter() as sandbox, client(sandbox) as http:
        assert http.post("/add", json={"n": 2}).json() == {"total": 2}
        answer = http.post("/add")
        assert answer.status_code == 201
        assert answer.headers["x-total"] == "3"
        assert [(call.method, call.path) for call in sandbox.calls] == [("POST", "/add")] * 2


def test_it_asks_for_its_token() -> None:
    with Counter(token="right") as sandbox:
        with client(sandbox, "wrong") as http:
            assert http.get("/none").status_code == 401
        with client(sandbox, "right") as http:
            assert http.get("/none").status_code == 204
        assert httpx.get(sandbox.url, trust_env=False).status_code == 401


def test_two_sandboxes_have_their_own_tokens_and_ports() -> None:
    with Counter() as one, Counter() as other:
        assert one.token != other.token
        assert one.url != other.url


def test_paths_queries_forms_and_bytes_come_through() -> None:
    with Counter() as sandbox, client(sandbox) as http:
        answer = http.post("/echo/a%2Fb%20c", params={"q": "x&y", "empty": ""}, data={"f": "1+1"})
        assert answer.json() == {"path": "/echo/a/b c", "query": {"q": "x&y", "empty": ""}, "form": {"f": "1+1"}}
        assert http.get("/raw").content == b"\x00\xff"
        assert http.get("/raw").headers["content-type"] == "image/png"
        assert http.head("/raw").content == b""
        assert http.get("/unknown").status_code == 404


def test_a_fault_befalls_the_calls_that_fit_and_is_spent() -> None:
    with Counter() as sandbox, client(sandbox) as http:
        sandbox.fail(times=2, method="POST", path="/add", answer=Answer(503, {"error": "busy"}))
        assert http.get("/none").status_code == 204
        assert [http.post("/add").status_code for _ in range(3)] == [503, 503, 201]
        assert sandbox.total == 1


def test_a_dropped_answer_may_have_taken_effect_or_not() -> None:
    with Counter() as sandbox, client(sandbox) as http:
        sandbox.fail(path="/add", after_commit=True)
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("/add")
        assert sandbox.total == 1
        sandbox.fail(path="/add")
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("/add")
        assert sandbox.total == 1


def test_a_slow_answer_is_honest_if_it_is_told_so() -> None:
    with Counter() as sandbox, client(sandbox) as http:
        sandbox.fail(path="/add", delay=0.05, honest=True)
        assert http.post("/add").json() == {"total": 1}


def test_a_bug_in_a_sandbox_is_an_answer_that_says_so_and_fails_the_test() -> None:
    answers: list[httpx.Response] = []

    def use() -> None:
        with Counter() as sandbox, client(sandbox) as http:
            answers.append(http.get("/break"))

    with pytest.raises(RuntimeError, match="a bug in the sandbox"):
        use()
    assert answers[0].status_code == 500
    assert "a bug in the sandbox" in answers[0].json()["error"]


def test_calls_from_many_threads_are_handled_one_at_a_time() -> None:
    with Counter() as sandbox:

        def add() -> None:
            with client(sandbox) as http:
                for _ in range(10):
                    http.post("/add")

        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sandbox.total == 80
        assert len(sandbox.calls) == 80

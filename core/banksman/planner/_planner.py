"""Asks a model for runbooks: one conversation about one goal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from banksman import _canonical
from banksman.auth import redact
from banksman.errors import AuthFailed, CallError, PlanError, RateLimited, Rejected, Unavailable
from banksman.http.scrub import scrub
from banksman.plan import Runbook
from banksman.planner import _prompt
from banksman.planner._answer import NoPlan, read
from banksman.planner._catalogue import Catalogue, tokens
from banksman.planner._digest import Failure, Progress
from banksman.planner._lean import one_line

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model

__all__ = ["BUDGET", "Answer", "NoPlan", "Planner", "Question"]

#: Tokens for the signatures of actions. With all the rest a prompt stays under some 12,000, which small models take.
BUDGET = 8_000
#: Seconds for one answer, retries of the provider's client included: large models think for minutes.
PATIENCE = 600.0
#: An earlier answer longer than this is not sent back to the model that wrote it: characters.
_LONGEST_ANSWER = 40_000


@dataclass(frozen=True)
class Question:
    """What is about to be asked.

    Attributes:
        purpose: `plan`, `replan`, or `repair` of one of them.
        model: the provider and the model's name.
        server: where the model is; empty where it is in this process.
        prompt: the version of the instructions.
        digest: of all messages, SHA-256.
        tokens: about how many they are.
        actions: how many signatures are shown.
    """

    purpose: str
    model: str
    server: str
    prompt: str
    digest: str
    tokens: int
    actions: int


@dataclass(frozen=True)
class Answer:
    """What came back. `problems` are those of reading it; a plan that can be read may still have others."""

    purpose: str
    model: str
    input_tokens: int
    output_tokens: int
    digest: str
    problems: tuple[str, ...] = ()


async def _nothing(_: Any) -> None:
    """Nobody listens."""


class Planner:
    """Asks one model. Each of `plan`, `repair` and `replan` is one exchange.

        planner = Planner(model_of("openai:gpt-5"))
        try:
            runbook = await planner.plan("Close what nobody answered for a month", catalogue)
        except PlanError as error:
            runbook = await planner.repair(error.problems)

    Args:
        model: pydantic-ai's own interface, so its `FunctionModel` and `TestModel` serve in tests.
        budget: tokens for the signatures of actions.
    """

    def __init__(self, model: Model, *, budget: int = BUDGET) -> None:
        self.model = model
        self.budget = budget
        self._asked: Callable[[Question], Awaitable[None]] = _nothing
        self._answered: Callable[[Answer], Awaitable[None]] = _nothing
        self._catalogue = Catalogue(())
        self._listed: list[str] = []
        self._task = ""
        self._reply = ""
        self._old: Runbook | None = None
        self._kept: frozenset[str] = frozenset()
        self._complaints: list[str] = []

    @property
    def name(self) -> str:
        """The provider and the model's name."""
        return f"{self.model.system}:{self.model.model_name}"

    def listen(
        self, asked: Callable[[Question], Awaitable[None]], answered: Callable[[Answer], Awaitable[None]]
    ) -> None:
        """Be told of every exchange.

        Args:
            asked: awaited before a question leaves; what it raises keeps the question in.
            answered: awaited once the answer is there and has been read.
        """
        self._asked, self._answered = asked, answered

    async def plan(self, goal: str, catalogue: Catalogue, inputs: Mapping[str, Any] | None = None) -> Runbook:
        """A runbook for a goal. It is read, but not yet held against the actions.

        Raises:
            NoPlan: the model says that the goal cannot be reached.
            PlanError: the answer is no runbook; `repair` with the problems.
            AuthFailed, RateLimited, Rejected, Unavailable: the model cannot be asked.
        """
        self._begin(goal, catalogue, inputs, None, frozenset())
        return await self._exchange("plan")

    async def replan(
        self,
        goal: str,
        catalogue: Catalogue,
        plan: Runbook,
        progress: Sequence[Progress],
        failures: Sequence[Failure],
        inputs: Mapping[str, Any] | None = None,
        *,
        kept: Collection[str] = (),
    ) -> Runbook:
        """Another runbook for what is left of a goal. Steps in `kept` are in it as they were.

        Raises:
            NoPlan, PlanError, AuthFailed, RateLimited, Rejected, Unavailable: as `plan`.
        """
        self._begin(goal, catalogue, inputs, plan, frozenset(kept))
        self._task += "\n\n" + _prompt.rest(plan, progress, failures, kept)
        return await self._exchange("replan")

    async def repair(self, problems: Sequence[str]) -> Runbook:
        """The last answer again, mended.

        Raises:
            NoPlan, PlanError, AuthFailed, RateLimited, Rejected, Unavailable: as `plan`.
        """
        named = self._catalogue.named_in("\n".join([self._reply, *problems]))
        more = [name for name in named if name not in self._listed][:20]
        told = [scrub(problem) for problem in problems]
        earlier = [problem for problem in self._complaints if problem not in told][-10:]
        self._complaints = [*earlier, *told]
        return await self._exchange("repair", _prompt.complaint(told, earlier, [self._catalogue.line(n) for n in more]))

    def _begin(
        self,
        goal: str,
        catalogue: Catalogue,
        inputs: Mapping[str, Any] | None,
        old: Runbook | None,
        kept: frozenset[str],
    ) -> None:
        self._catalogue = catalogue
        self._listed = catalogue.shortlist(goal, self.budget)
        if old is not None:
            used = [call.action for step in old.steps.values() for call in step.ways]
            self._listed += [
                name for name in dict.fromkeys(used) if name in catalogue.actions and name not in self._listed
            ]
        self._task = _prompt.task(goal, catalogue, self._listed, inputs or {})
        self._reply, self._old, self._kept, self._complaints = "", old, kept, []

    # One exchange

    async def _exchange(self, purpose: str, complaint: str = "") -> Runbook:
        # A secret that this process knows has no business in a prompt, whoever wrote it into a goal or a plan.
        self._task, complaint = redact(self._task), redact(complaint)
        messages = self._messages(complaint)
        texts = [_prompt.INSTRUCTIONS, self._task, *([self._reply, complaint] if complaint else [])]
        await self._asked(
            Question(
                purpose,
                self.name,
                scrub(str(getattr(self.model, "base_url", None) or "")),
                _prompt.VERSION,
                _canonical.digest(texts, purpose=_prompt.VERSION),
                sum(map(tokens, texts)),
                len(self._listed),
            )
        )
        response = await self._ask(messages)
        self._reply = response.text or ""
        problems: tuple[str, ...] = ()
        try:
            plan = read(self._reply, cut_off=response.finish_reason == "length")
            return self._with_kept(plan)
        except PlanError as error:
            problems = error.problems
            raise
        finally:
            usage = response.usage
            digest = _canonical.digest(self._reply, purpose="answer")
            await self._answered(Answer(purpose, self.name, usage.input_tokens, usage.output_tokens, digest, problems))

    def _messages(self, complaint: str) -> list[ModelMessage]:
        """The task, and for a repair the last answer and what is wrong with it: it does not grow from try to try."""
        from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart

        found: list[ModelMessage] = [
            ModelRequest(parts=[SystemPromptPart(_prompt.INSTRUCTIONS), UserPromptPart(self._task)])
        ]
        if complaint:
            reply = self._reply if 0 < len(self._reply) <= _LONGEST_ANSWER else "(an answer that cannot be used)"
            found += [ModelResponse(parts=[TextPart(reply)]), ModelRequest(parts=[UserPromptPart(complaint)])]
        return found

    async def _ask(self, messages: list[ModelMessage]) -> ModelResponse:
        from pydantic_ai.direct import model_request
        from pydantic_ai.exceptions import AgentRunError, UserError
        from pydantic_ai.settings import ModelSettings

        try:
            settings = ModelSettings(timeout=PATIENCE / 2, request_timeout=PATIENCE)
            return await model_request(self.model, messages, model_settings=settings)
        except (AgentRunError, UserError) as error:
            raise _as_ours(error, self.name) from None

    def _with_kept(self, plan: Runbook) -> Runbook:
        """The answer with what has run put back where the model left it out: it need not copy to keep."""
        old = self._old
        if old is None:
            return plan
        kept = {name: step for name, step in old.steps.items() if name in self._kept and name not in plan.steps}
        return plan.model_copy(
            update={
                "name": old.name,
                "inputs": {**old.inputs, **plan.inputs},
                "connections": {**old.connections, **plan.connections},
                "steps": {**kept, **plan.steps},
            }
        )


def _as_ours(error: Exception, model: str) -> CallError:
    """A provider's failure as one of ours. Its text may repeat a part of the key, so little of it is kept."""
    from pydantic_ai import exceptions

    kinds: list[tuple[type[Exception], Callable[[str], CallError], str]] = [
        (exceptions.ModelAuthenticationError, AuthFailed, "the provider refuses the key"),
        (exceptions.ModelRateLimitError, RateLimited, "the provider says that it is asked too often"),
        (exceptions.ModelQuotaExceededError, Rejected, "the account has no credit or quota left"),
        (exceptions.ModelNotFoundError, Rejected, "the provider knows no such model (or the address is wrong)"),
        (exceptions.ModelContextWindowExceededError, Rejected, "the prompt is longer than the model takes"),
        (exceptions.ModelRequestRejectedError, Rejected, "the provider refuses the request"),
        (exceptions.ModelConnectionError, Unavailable, "the provider cannot be reached"),
        (exceptions.ModelRequestTimeout, Unavailable, "the provider did not answer in time"),
        (exceptions.ModelAPIError, Unavailable, "the provider failed"),
        (exceptions.ContentFilterError, Rejected, "the provider's content filter stopped the answer"),
    ]
    make, said = next(
        ((make, said) for kind, make, said in kinds if isinstance(error, kind)),
        (Unavailable, "it gave no usable answer"),
    )
    status = getattr(error, "status_code", None)
    detail = "" if make is AuthFailed else one_line(scrub(_detail(error)), 200)
    found = make(f"model {model}: {said}{f' (HTTP {status})' if status else ''}{f': {detail}' if detail else ''}")
    found.status = status
    return found


def _detail(error: Exception) -> str:
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    told = inner.get("message") if isinstance(inner, Mapping) else None
    return str(told or (getattr(error, "message", "") if body is None else ""))

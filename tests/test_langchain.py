"""The LangChain middleware: real agents and real models, over loopback; no draft comes out of anything."""

import json
import logging

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelFallbackMiddleware, ModelRetryMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel
from support import constitution, principle
from wire import Anthropic, OpenAI, serve

from guardrails import Exchange, FunctionJudge, Guard, outcome_of
from guardrails.dialects import read
from guardrails.dialects._langchain import LangChainDialect
from guardrails.errors import Blocked, ConfigurationError, UnsupportedReply
from guardrails.integrations.langchain import GuardMiddleware

SMALL = constitution(
    principle("no-certainty", checks=[{"pattern": r"\bcertain\b", "decides": True, "fix": {"replace": "possible"}}]),
    principle("no-secrets", on_violation="block", checks=[{"pattern": "secret", "decides": True}]),
    fallback={"en": "Ask the desk.", "ja": "窓口へ。"},
)
CALLS = constitution(
    principle(
        "no-transfers",
        on_violation="block",
        applies_to=["reply", "tool_calls"],
        checks=[{"pattern": "transfer", "decides": True}],
    )
)
DRAFT = "A gain is certain. Costs are low."
RIGHT = "A gain is possible. Costs are low."
ASKED = {"messages": [{"role": "user", "content": "Is it safe?"}]}
LOGPROBS = {"content": [{"token": "certain", "bytes": None, "logprob": -0.1, "top_logprobs": []}], "refusal": None}
BLOCK = {"type": "text", "text": DRAFT, "citations": [{"type": "char_location", "cited_text": "certain"}]}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
DIALECT = LangChainDialect()


def guarded(**options):
    return Guard(options.pop("constitution", SMALL), **{"judge": "rules", "audit": None, **options})


@pytest.fixture
def wire():
    with serve() as wire:
        yield wire


def fake(*replies):
    """LangChain's own fake, which streams word by word."""
    return GenericFakeChatModel(
        messages=iter([one if isinstance(one, AIMessage) else AIMessage(one) for one in replies])
    )


def openai_model(wire, **options):
    wire.play(OpenAI.says(DRAFT))
    return ChatOpenAI(**{"model": "m-1", "api_key": "k", "base_url": wire.url, **options})


def anthropic_model(wire, **options):
    wire.play(Anthropic.says(DRAFT))
    return ChatAnthropic(**{"model": "m-1", "api_key": "k", "base_url": wire.url, **options})


MODELS = {
    "fake": lambda _: fake(*[DRAFT] * 9),
    "openai": openai_model,
    "openai-streaming": lambda wire: openai_model(wire, streaming=True),
    "openai-blocks": lambda wire: openai_model(wire, output_version="v1"),
    "anthropic": anthropic_model,
    "anthropic-streaming": lambda wire: anthropic_model(wire, streaming=True),
}


@pytest.fixture(params=MODELS)
def model(request, wire):
    """Each kind of chat model; all of them draft the same."""
    return MODELS[request.param](wire)


@pytest.fixture(params=["sync", "async"])
def invoke(request):
    """`agent.invoke`, or `agent.ainvoke`."""

    async def sync(agent, asked=ASKED, config=None):
        return agent.invoke(asked, config)

    async def async_(agent, asked=ASKED, config=None):
        return await agent.ainvoke(asked, config)

    return sync if request.param == "sync" else async_


def agent_of(model, guard=None, tools=(), after=(), **options):
    return create_agent(model, [*tools], middleware=[GuardMiddleware(guard or guarded()), *after], **options)


class Heard(BaseCallbackHandler):
    """All that callbacks are told, as text."""

    def __init__(self):
        self.told = {}

    def _note(self, name, *told):
        self.told[name] = f"{self.told.get(name, '')} {told!r}"

    def on_chain_end(self, outputs, **_):
        self._note("chain", outputs)

    def on_llm_new_token(self, token, *, chunk=None, **_):
        self._note("token", token, chunk)

    def on_llm_end(self, response, **_):
        self._note("end", response)

    def on_llm_error(self, error, **_):
        self._note("error", error)


# What comes out.


async def test_a_reply_is_revised_and_its_message_is_otherwise_kept(model, invoke):
    """State, callbacks and outcome agree, and the message keeps its metadata."""
    heard = Heard()
    result = await invoke(agent_of(model), config={"callbacks": [heard]})
    message = result["messages"][-1]
    assert (message.type, message.text) == ("ai", RIGHT)
    assert message.id
    if not isinstance(model, GenericFakeChatModel):
        assert message.usage_metadata["output_tokens"] == 3
        assert message.response_metadata["model_name"] == "m-1-0001"
    assert heard.told.keys() == {"chain", "end"}
    assert RIGHT in heard.told["end"]
    assert "certain" not in repr(heard.told)
    outcome = outcome_of(message)
    assert (outcome.status.value, outcome.original, outcome.text) == ("revised", DRAFT, RIGHT)


async def test_a_passing_reply_is_the_one_that_the_bare_agent_gives(wire, invoke):
    """In everything but the ids of the run."""
    model = openai_model(wire)
    wire.play(OpenAI.says("It may fall."))
    made = (await invoke(agent_of(model)))["messages"][-1]
    bare = (await invoke(create_agent(model, [])))["messages"][-1]
    assert made.model_dump(exclude={"id"}) == bare.model_dump(exclude={"id"})
    assert [seen.json for seen in wire.seen[1:]] == [wire.seen[0].json]
    assert outcome_of(made).status.value == "passed"


@pytest.mark.parametrize("mode", ["messages", "updates", "values", "debug", "tasks", ["messages", "updates", "custom"]])
async def test_no_stream_shows_the_draft(model, mode):
    """Sync and async, in every mode; what is shown is the revised text, once."""
    agent = agent_of(model)
    for out in (
        list(agent.stream(ASKED, stream_mode=mode)),
        [one async for one in agent.astream(ASKED, stream_mode=mode)],
    ):
        assert RIGHT in repr(out)
        assert "certain" not in repr(out)
        if mode == "messages":
            assert [message.text for message, _ in out] == [RIGHT]


async def test_no_event_shows_the_draft(model):
    """Nothing in `astream_events`, the end of the model call included."""
    events = [event async for event in agent_of(model).astream_events(ASKED, version="v2")]
    kinds = {event["event"] for event in events}
    assert {"on_chat_model_start", "on_chat_model_end"} <= kinds
    assert "on_chat_model_stream" not in kinds
    assert "certain" not in repr(events)
    (end,) = (event for event in events if event["event"] == "on_chat_model_end")
    assert end["data"]["output"].text == RIGHT


async def test_log_probabilities_of_a_text_that_is_gone_go(wire, invoke):
    """They spell the draft."""
    model = openai_model(wire, logprobs=True)
    choice = {"index": 0, "message": {"role": "assistant", "content": DRAFT}, "finish_reason": "stop"}
    wire.play(OpenAI.says(choices=[{**choice, "logprobs": LOGPROBS}]))
    heard = Heard()
    message = (await invoke(agent_of(model), config={"callbacks": [heard]}))["messages"][-1]
    assert message.response_metadata["finish_reason"] == "stop"
    assert "certain" not in repr((message, heard.told))


async def test_blocks_that_are_no_text_are_untouched(wire, invoke):
    """Thinking stays, and a revised text block loses its citations."""
    model = anthropic_model(wire)
    wire.play(Anthropic.says(content=[THOUGHT, BLOCK, {"type": "text", "text": " It may fall."}]))
    message = (await invoke(agent_of(model)))["messages"][-1]
    assert message.content == [THOUGHT, {"type": "text", "text": RIGHT}, {"type": "text", "text": " It may fall."}]


async def test_a_draft_in_the_cache_is_passed_by(wire, invoke):
    """A cache knows of no guard: it may hold what was said without one."""
    model = openai_model(wire, cache=InMemoryCache(), disable_streaming=True, streaming=False)
    bare, agent, heard = create_agent(model, []), agent_of(model), Heard()
    assert (await invoke(bare))["messages"][-1].text == DRAFT
    assert (await invoke(agent, config={"callbacks": [heard]}))["messages"][-1].text == RIGHT
    assert "certain" not in repr(heard.told)
    assert (await invoke(bare))["messages"][-1].text == DRAFT


async def test_models_that_stream_of_their_own_accord_are_silent(invoke):
    """A model may send tokens to its callbacks from within: it is given none."""

    class Talkative(GenericFakeChatModel):
        def _generate(self, messages, stop=None, run_manager=None, **options):
            if run_manager:
                run_manager.on_llm_new_token(DRAFT)
            return super()._generate(messages, stop, run_manager, **options)

    heard = Heard()
    await invoke(agent_of(Talkative(messages=iter([AIMessage(DRAFT)]))), config={"callbacks": [heard]})
    assert "certain" not in repr(heard.told)


class Router(BaseChatModel):
    """A model that calls another one."""

    @property
    def _llm_type(self):
        return "router"

    def _generate(self, messages, stop=None, run_manager=None, **options):
        return ChatResult(generations=[ChatGeneration(message=fake(DRAFT).invoke(messages))])

    async def _agenerate(self, messages, stop=None, run_manager=None, **options):
        return ChatResult(generations=[ChatGeneration(message=await fake(DRAFT).ainvoke(messages))])


async def test_a_model_made_of_other_models_is_guarded(invoke):
    """The callbacks of the run reach none of them."""
    heard = Heard()
    message = (await invoke(agent_of(Router()), config={"callbacks": [heard]}))["messages"][-1]
    assert message.text == RIGHT
    assert "certain" not in repr(heard.told)
    assert "certain" not in repr(list(agent_of(Router()).stream(ASKED, stream_mode="messages")))


# Tools, and what the judge sees.


@tool
def price(fund: str) -> str:
    """The price of a fund."""
    return f"{fund} costs 7 yen."


def calls(tool="price", /, text="", **arguments):
    return AIMessage(text, tool_calls=[{"name": tool, "args": arguments, "id": "t1"}])


async def test_the_judge_sees_all_that_was_sent(invoke):
    """System prompt, question, the tool call and its result; the call itself is untouched."""
    seen = []
    judge = FunctionJudge(lambda exchange, _: seen.append(exchange), covers={"no-certainty"})
    model = fake(calls(text="Certainly: it is certain.", fund="A"), DRAFT)
    agent = agent_of(BoundFake(messages=model.messages), guarded(judge=judge), [price], system_prompt="Be brief.")
    messages = (await invoke(agent))["messages"]
    assert [message.text for message in messages] == [
        "Is it safe?",
        "Certainly: it is possible.",
        "A costs 7 yen.",
        RIGHT,
    ]
    assert messages[1].tool_calls == calls(fund="A").tool_calls
    assert [(one.role, one.content) for one in seen[-1].messages] == [
        ("system", "Be brief."),
        ("user", "Is it safe?"),
        ("assistant", 'Certainly: it is possible.\n[price({"fund": "A"})]'),
        ("tool", "A costs 7 yen."),
    ]


class BoundFake(GenericFakeChatModel):
    """The fake, with tools that it pays no heed to."""

    def bind_tools(self, tools, **options):
        return self.bind(tools=[getattr(one, "name", one) for one in tools])


async def test_a_violating_tool_call_is_blocked(invoke):
    """Its arguments are judged, and it never runs."""
    agent = agent_of(BoundFake(messages=iter([calls(fund="transfer")])), guarded(constitution=CALLS), [price])
    with pytest.raises(Blocked):
        await invoke(agent)


async def test_a_tool_loop_over_the_wire(wire, invoke):
    """A call, its result, an answer: two requests, the second with the result."""
    model = anthropic_model(wire)
    use = {"type": "tool_use", "id": "t1", "name": "price", "input": {"fund": "A"}}
    wire.play(Anthropic.says(content=[use], stop_reason="tool_use"), Anthropic.says(DRAFT))
    messages = (await invoke(agent_of(model, tools=[price])))["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert messages[1].content == [{**use, "toolset_name": None}]
    assert messages[-1].text == RIGHT
    assert [len(seen.json["messages"]) for seen in wire.seen] == [1, 3]


# Blocked replies.


async def test_a_blocked_reply_raises_out_of_the_agent(wire, invoke):
    """One request, one error that names no text, and nothing in streams or callbacks."""
    model = openai_model(wire)
    wire.play(OpenAI.says("The secret is out."))
    agent, heard, out = agent_of(model), Heard(), []
    with pytest.raises(Blocked) as caught:
        await invoke(agent, config={"callbacks": [heard]})
    assert len(wire.seen) == 1
    assert caught.value.outcome.at_fault == ("no-secrets",)
    assert "out." not in repr(heard.told)
    with pytest.raises(Blocked):
        out.extend(agent.stream(ASKED, stream_mode=["messages", "updates"]))
    assert "secret" not in repr(out)


async def test_a_fallback_takes_the_place_of_all_that_the_message_held(wire, invoke):
    """Tool calls included, so that the agent ends."""
    model = anthropic_model(wire)
    use = {"type": "tool_use", "id": "t1", "name": "price", "input": {"fund": "A"}}
    wire.play(Anthropic.says(content=[{"type": "text", "text": "The secret is out."}, use], stop_reason="tool_use"))
    messages = (await invoke(agent_of(model, guarded(on_blocked="fallback"), [price])))["messages"]
    assert [message.text for message in messages] == ["Is it safe?", "Ask the desk."]
    assert messages[-1].tool_calls == []
    assert messages[-1].usage_metadata["output_tokens"] == 3
    assert "secret" not in repr(messages)
    assert outcome_of(messages[-1]).blocked


# Structured output.


class Fund(BaseModel):
    """What a caller asks for."""

    name: str
    note: str


STRATEGIES = {"tool": ToolStrategy(Fund), "provider": ProviderStrategy(Fund), "schema": Fund}


def structured(name, note):
    """A reply with these data, as the strategy has the model write them."""
    if name == "provider":
        return AIMessage(json.dumps({"name": "A", "note": note}))
    return calls("Fund", name="A", note=note)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_structured_output_passes_as_it_is_or_is_blocked(strategy, invoke):
    """It is judged as the reply, never edited, and never replaced by a fallback text."""

    def agent(note):
        model = BoundFake(messages=iter([structured(strategy, note)]))
        guard = guarded(on_blocked="fallback")
        return agent_of(model, guard, [price], response_format=STRATEGIES[strategy])

    result = await invoke(agent("It may fall."))
    assert result["structured_response"] == Fund(name="A", note="It may fall.")
    with pytest.raises(Blocked) as caught:
        await invoke(agent("A gain is certain."))
    assert '"note": "A gain is certain."' in caught.value.outcome.original


async def test_data_that_do_not_fit_the_schema_are_judged_before_they_are_told_of(invoke):
    """LangChain's own error message would repeat them to the state."""
    model = BoundFake(messages=iter([calls("Fund", name="secret")]))
    with pytest.raises(Blocked):
        await invoke(agent_of(model, response_format=ToolStrategy(Fund)))


# Other middlewares.


class Instead(AgentMiddleware):
    """Does something of its own with a model call."""

    def __init__(self, does):
        super().__init__()
        self._does = does

    def wrap_model_call(self, request, handler):
        return self._does(request, handler)

    async def awrap_model_call(self, request, handler):
        made = self._does(request, handler)
        return made if isinstance(made, AIMessage) else await made


@pytest.mark.parametrize(
    "does",
    [
        lambda request, handler: handler(request.override(model=fake(DRAFT))),
        lambda request, handler: handler(request.override(model=request.model.model_copy(update={"tags": ["t"]}))),
        lambda request, handler: handler(request.override(model=fake(DRAFT).bind(stop=["x"]))),
        lambda _request, _handler: AIMessage(DRAFT),
    ],
    ids=["another-model", "a-copy", "a-bound-one", "a-reply-of-its-own"],
)
async def test_what_stands_after_the_guard_is_guarded_with_it(does, invoke):
    """Another model, in streams too, and a reply that a middleware makes up."""
    heard = Heard()
    agent = agent_of(fake(DRAFT, DRAFT), after=[Instead(does)])
    message = (await invoke(agent, config={"callbacks": [heard]}))["messages"][-1]
    assert message.text == outcome_of(message).text == RIGHT
    assert "certain" not in repr(heard.told)
    assert "certain" not in repr(
        list(agent_of(fake(DRAFT), after=[Instead(does)]).stream(ASKED, stream_mode="messages"))
    )


async def test_a_fallback_model_is_guarded(wire, invoke):
    """The first fails, the second answers, and its draft is in no callback."""
    model = openai_model(wire, max_retries=0)
    wire.play(OpenAI.fails(500))
    agent = agent_of(model, after=[ModelFallbackMiddleware(fake(DRAFT))])
    heard = Heard()
    assert (await invoke(agent, config={"callbacks": [heard]}))["messages"][-1].text == RIGHT
    assert "certain" not in repr(heard.told)


@pytest.mark.parametrize("first", [GuardMiddleware, ModelRetryMiddleware])
async def test_a_retry_can_be_told_to_leave_a_blocked_reply(wire, invoke, first):
    """As the middleware's docstring says it: one request, and `Blocked` comes out."""
    model = openai_model(wire)
    wire.play(OpenAI.says("The secret is out."))
    retry = ModelRetryMiddleware(retry_on=lambda error: not isinstance(error, Blocked))
    guard = GuardMiddleware(guarded())
    chain = [guard, retry] if first is GuardMiddleware else [retry, guard]
    with pytest.raises(Blocked):
        await invoke(create_agent(model, [], middleware=chain))
    assert len(wire.seen) == 1


async def test_two_guards_judge_each(invoke):
    """What the inner one lets pass the outer one sees, before a stream does."""
    agent = agent_of(fake("It is certain. A transfer."), after=[GuardMiddleware(guarded(constitution=OTHER))])
    assert (await invoke(agent))["messages"][-1].text == "It is possible. A payment."
    agent = agent_of(fake("It is certain. A transfer."), after=[GuardMiddleware(guarded(constitution=OTHER))])
    out = repr(list(agent.stream(ASKED, stream_mode="messages")))
    assert "It is possible. A payment." in out
    assert "transfer" not in out


OTHER = constitution(
    principle("no-words", checks=[{"pattern": "transfer", "decides": True, "fix": {"replace": "payment"}}]),
    name="other",
)


async def test_what_is_no_chat_model_is_refused(invoke):
    """It could not be guarded in streams."""
    chain = Instead(lambda request, handler: handler(request.override(model=RunnableLambda(len))))
    with pytest.raises(ConfigurationError, match="RunnableLambda"):
        await invoke(agent_of(fake(DRAFT), after=[chain]))


async def test_a_message_loaded_by_a_checkpointer_is_another_object(invoke):
    """The one that came with the call has its outcome; a copy has none."""
    agent = agent_of(fake(DRAFT, DRAFT), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    message = (await invoke(agent, config=config))["messages"][-1]
    assert outcome_of(message).text == RIGHT
    with pytest.raises(LookupError):
        outcome_of(agent.get_state(config).values["messages"][-1])


# Monitor mode.


async def test_monitor_mode_lets_everything_through_and_judges_behind(wire, invoke):
    """Streams stay streams, and the record would say what would have happened."""
    seen = []
    judge = FunctionJudge(lambda exchange, _: seen.append((exchange.prompt, exchange.reply)), covers={"no-certainty"})
    with guarded(judge=judge, mode="monitor") as guard:
        agent = agent_of(fake(DRAFT, DRAFT), guard)
        assert (await invoke(agent))["messages"][-1].text == DRAFT
        assert len(list(agent.stream(ASKED, stream_mode="messages"))) > 3
    assert seen[:1] == [("Is it safe?", DRAFT)]
    assert seen.count(("Is it safe?", DRAFT)) == 2


async def test_monitor_mode_logs_what_it_cannot_read(invoke, caplog):
    """And the call goes on."""
    picture = AIMessage([{"type": "image", "url": "x"}])
    with guarded(mode="monitor") as guard, caplog.at_level(logging.ERROR):
        assert (await invoke(agent_of(fake(picture), guard)))["messages"][-1].content == picture.content
    assert "UnsupportedReply" in caplog.text


# The dialect.


async def test_a_message_is_read_and_revised_in_every_shape():
    """String, blocks, refusals, chunks and dictionaries; what did not change is the same."""
    for kind in (AIMessage, AIMessageChunk):
        reply = read(kind(DRAFT, id="1"), DIALECT)
        assert reply.with_texts([DRAFT]) is reply.value
        assert reply.with_texts([RIGHT]) == kind(RIGHT, id="1")
    blocks = [DRAFT, {"type": "reasoning", "reasoning": "certain"}, {**BLOCK, "text": " It is certain.", "id": "b"}]
    made = read(AIMessage(blocks), DIALECT).with_texts([f"{DRAFT} It is possible."])
    assert made.content == [DRAFT, blocks[1], {"type": "text", "id": "b", "text": " It is possible."}]
    refusal = read(AIMessage("", additional_kwargs={"refusal": DRAFT, "parsed": DRAFT}), DIALECT)
    assert refusal.only.text == DRAFT
    assert refusal.with_texts([RIGHT]).additional_kwargs == {"refusal": RIGHT}
    block = read(AIMessage([{"type": "refusal", "refusal": DRAFT}]), DIALECT)
    assert block.with_texts([RIGHT]).content == [{"type": "refusal", "refusal": RIGHT}]
    assert read({"type": "ai", "content": DRAFT}, DIALECT).with_texts([RIGHT])["content"] == RIGHT
    assert read(calls(fund="A"), DIALECT).only.is_silent


@pytest.mark.parametrize(
    "message",
    [
        AIMessage([{"type": "image", "url": "x"}]),
        AIMessage([{"type": "brand_new", "text": DRAFT}]),
        AIMessage([{"type": "text", "text": None}]),
        AIMessage("", additional_kwargs={"audio": {"transcript": DRAFT}}),
        AIMessage("", additional_kwargs={"refusal": [DRAFT]}),
        {"type": "ai", "data": {"content": DRAFT}},
        HumanMessage(DRAFT),
    ],
)
async def test_what_cannot_be_judged_is_refused(message):
    """With an error that quotes none of it."""
    with pytest.raises(UnsupportedReply) as caught:
        read(message, DIALECT)
    assert "certain" not in str(caught.value)


async def test_a_conversation_is_read_in_every_shape():
    """LangChain's messages, and those of other shapes among them."""
    use = {"type": "tool_use", "id": "t1", "name": "price", "input": {}}
    sent = [
        SystemMessage("Be brief."),
        {"role": "user", "content": "Hi."},
        AIMessage(["Wait.", use], tool_calls=[{"name": "price", "args": {}, "id": "t1"}]),
        ToolMessage([{"type": "text", "text": "7"}], tool_call_id="t1"),
        ChatMessage("Go on.", role="user"),
        AIMessageChunk("So."),
    ]
    assert DIALECT.exchange({"messages": sent}) == Exchange(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": "Wait.\n[price({})]"},
            {"role": "tool", "content": "7"},
            {"role": "user", "content": "Go on."},
            {"role": "assistant", "content": "So."},
        ]
    )

"""Exchanges: whatever a chat API takes becomes the conversation that judges see."""

import asyncio
import functools

import pytest
from anthropic import NOT_GIVEN, omit
from anthropic.types import TextBlock, ToolUseBlock
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from support import any_text, constitution, hostile_text, principle

from guardrails import Guard
from guardrails._decorate import exchange_reader
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange, Message
from guardrails.sentences import split

RULES = constitution(principle("no-certainty", checks=[{"pattern": "certain", "decides": True}]))
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool"])


@given(st.lists(st.tuples(ROLES, any_text), max_size=5), hostile_text, st.lists(any_text, max_size=3))
def test_nothing_of_an_exchange_is_lost(messages, reply, context):
    """Every message's text, the context and the reply are kept as they are, in order."""
    exchange = Exchange([{"role": role, "content": text} for role, text in messages], reply, context)
    assert [message.content for message in exchange.messages] == [text for _, text in messages]
    assert (exchange.reply, list(exchange.context)) == (reply, context)
    assert exchange.sentences == split(reply)


@given(any_text, hostile_text, hostile_text)
def test_another_reply_to_the_same(prompt, reply, other):
    """`with_reply` changes the reply and its sentences, and nothing else."""
    first = Exchange(prompt, reply, ["Fact sheet."])
    second = first.with_reply(other)
    assert (second.messages, second.context) == (first.messages, first.context)
    assert second.sentences == split(other)
    assert second == Exchange(prompt, other, "Fact sheet.")


def test_ways_to_give_messages():
    """A string, a message, a dictionary and a list of these say the same."""
    said = (Message("user", "Safe?"),)
    for messages in (
        "Safe?",
        Message("user", "Safe?"),
        {"role": "user", "content": "Safe?"},
        [Message("user", "Safe?")],
    ):
        assert Exchange(messages).messages == said
    assert Exchange().messages == Exchange([]).messages == ()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("Hi.", "Hi."),
        ([{"type": "text", "text": "A."}, {"type": "text", "text": "B."}], "A.\nB."),
        ([{"type": "text", "text": "A."}, {"type": "image", "source": {"data": "…"}}], "A.\n[image]"),
        ([{"type": "image_url", "image_url": {"url": "…"}}], "[image_url]"),
        ([{"type": "tool_use", "name": "price", "input": {"fund": "X"}}], "[price({'fund': 'X'})]"),
        ([{"type": "tool_result", "content": [{"type": "text", "text": "5%"}]}], "5%"),
        ([{"type": "tool_result", "content": "5%"}], "5%"),
        ([TextBlock(type="text", text="A.", citations=None)], "A."),
        (
            [ToolUseBlock(type="tool_use", id="t", name="price", input={"fund": "X"}, caller={"type": "direct"})],
            "[price({'fund': 'X'})]",
        ),
        ([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "5%"}}], "5%"),
        (
            [{"type": "document", "title": "Fees", "context": "2026", "source": {"type": "content", "content": "5%"}}],
            "Fees\n2026\n5%",
        ),
        ([{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "5%"}]}}], "5%"),
        ([{"type": "document", "title": "Fees", "source": {"type": "base64", "data": "…"}}], "Fees\n[document]"),
        ([{"type": "document", "title": None, "source": {"type": "url", "url": "…"}}], "[document]"),
        (
            [{"type": "search_result", "source": "…", "title": "Fees", "content": [{"type": "text", "text": "5%"}]}],
            "Fees\n5%",
        ),
        (
            [{"type": "web_fetch_tool_result", "content": {"content": {"type": "document", "source": {"data": "…"}}}}],
            "[document]",
        ),
        ([{"type": "tool_result", "content": [{"type": "document", "source": {"type": "text", "data": "5%"}}]}], "5%"),
        ([{"type": "server_tool_use", "name": "search", "input": {"query": "X"}}], "[search({'query': 'X'})]"),
        ([{"type": "refusal", "refusal": "No."}], "No."),
    ],
)
def test_content_of_every_shape(content, text):
    """Blocks, as dictionaries and as an SDK's objects, become their text; what holds none leaves a marker."""
    assert Exchange([{"role": "assistant", "content": content}]).messages[0].content == text


def test_roles():
    """Each provider's roles become four; an unknown one is a tool's."""
    roles = ["system", "developer", "user", "assistant", "model", "tool", "function", None]
    exchange = Exchange([{"role": role, "content": "x"} for role in roles])
    assert [m.role for m in exchange.messages] == [
        "system",
        "system",
        "user",
        "assistant",
        "assistant",
        "tool",
        "tool",
        "tool",
    ]


def test_tool_calls_are_seen():
    """An assistant's tool calls are shown, with their arguments; so are a Responses API's items without a role."""
    call = {"type": "function", "function": {"name": "price", "arguments": '{"fund": "X"}'}}
    items = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"type": "function_call", "name": "price", "arguments": "{}"},
        {"type": "function_call_output", "output": "5%"},
    ]
    assert [m.content for m in Exchange(items).messages] == ['[price({"fund": "X"})]', "[price({})]", "5%"]


class Document:
    """A retriever's document."""

    page_content = "Fees are 0.2%."


def test_ways_to_give_context():
    """Context is a text, several, blocks, or a retriever's documents; None is none."""
    assert Exchange("", "", "Fees are 0.2%.").context == Exchange("", "", [Document()]).context == ("Fees are 0.2%.",)
    assert Exchange("", "", [{"type": "text", "text": "A."}, "B."]).context == ("A.", "B.")
    assert Exchange("", "", None).context == ()


@pytest.mark.parametrize(
    "messages", [42, [42], [["user", "Hi."]], [{"role": "user", "content": 42}], [{"role": "user", "content": b"Hi."}]]
)
def test_what_is_no_message(messages):
    """Anything else is a TypeError that says how messages are given, never a guess."""
    with pytest.raises(TypeError, match=r"not (int|list|bytes)"):
        Exchange(messages)


@pytest.mark.parametrize("reply", [None, 42, b"Hi.", ["Hi."]])
def test_what_is_no_reply(reply):
    """A reply is text."""
    with pytest.raises(TypeError, match="a reply is text, not"):
        Exchange("", reply)


@pytest.mark.parametrize(
    ("prompt", "reply", "language"),
    [
        ("安全ですか", "Yes.", "ja"),
        ("Safe?", "はい", "en"),
        ("", "はい", "ja"),
        ("", "ｱﾝｾﾞﾝ", "ja"),
        ("安全?", "", "en"),
        ("", "", "en"),
    ],
)
def test_the_language_is_the_users(prompt, reply, language):
    """The language is that of the last user message, told by kana; without one, that of the reply."""
    assert (
        Exchange([{"role": "assistant", "content": "ひ"}, Message("user", prompt)] if prompt else (), reply).language
        == language
    )


def test_the_prompt_is_the_last_user_message():
    """The prompt is what the user said last, whoever spoke since."""
    said = [Message("user", "First?"), Message("user", "Second?"), Message("assistant", "Hm."), Message("tool", "5%")]
    assert Exchange(said).prompt == "Second?"
    assert Exchange([Message("system", "Be nice.")]).prompt == ""


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"messages": 42}, TypeError, "not int"),
        ({"messages": [42]}, TypeError, "not int"),
        ({}, ConfigurationError, "nothing to judge by"),
        ({"messages": "q", "system": object()}, ConfigurationError, "`system` is object, which judges cannot read"),
        ({"messages": iter(["q"])}, ConfigurationError, r"messages=list\(messages\)"),
        ({"messages": "q", "context": (d for d in ["d"])}, ConfigurationError, r"context=list\(context\)"),
        ({"messages": [{"role": "user", "content": iter(["q"])}]}, ConfigurationError, "only once"),
    ],
)
def test_what_cannot_be_read_is_said_before_the_call_is_paid(is_async, arguments, error, says):
    """Arguments that hold no conversation, or can be read only once, are errors, and the function is not run."""
    guard, paid = Guard(RULES, audit=None), []

    async def ask(**kwargs):
        paid.append(kwargs)

    function = guard(ask if is_async else lambda **kwargs: paid.append(kwargs))
    for call in (function, function.outcome):
        with pytest.raises(error, match=says):
            asyncio.run(call(**arguments)) if is_async else call(**arguments)
    assert not paid


def test_what_exchange_reads_can_be_read_again():
    """`exchange=` gets no argument that the function would find used up; others are the function's own business."""
    guard = Guard(RULES, audit=None)

    @guard(exchange=lambda question, docs: Exchange(question, context=docs))
    def answer(question: str, docs: list, log=None) -> str:
        return f"{len(list(docs))} read, {len(list(log))} logged."

    assert answer("q", ["d"], log=iter("ab")) == "1 read, 2 logged."
    with pytest.raises(ConfigurationError, match=r"docs=list\(docs\)"):
        answer("q", iter(["d"]))


def test_exchange_may_ask_for_the_receiver():
    """`exchange=` is given `self` where it names it, and whatever else it names."""
    seen = []

    class Desk:
        name = "Rates"

        @Guard(RULES, audit=None)(exchange=lambda self, **kw: seen.append((self.name, kw)) or Exchange("q"))
        def answer(self, words: list, limit: int = 3) -> str:
            return "Fine."

    assert Desk().answer(["q"]) == "Fine."
    assert seen == [("Rates", {"words": ["q"], "limit": 3})]


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}], ({"text": "Be brief."},)])
@pytest.mark.parametrize("name", ["system", "instructions"])
def test_judges_see_the_system_prompt(name, system):
    """A system prompt is seen as text and as blocks, given apart or as a message; an SDK's mark of absence is none."""
    read = exchange_reader(lambda question, **kwargs: "Fine.", None)
    seen = Exchange([Message("system", "Be brief."), Message("user", "q")])
    assert read("q", **{name: system}) == read([{"role": "system", "content": system}, Message("user", "q")]) == seen
    assert read("q", **{name: NOT_GIVEN}, context=omit) == Exchange("q")
    assert functools.partial(read, **{name: system})("q") == seen


def test_langchain_messages_are_read():
    """Roles and tool calls in LangChain's own names."""
    call = {"name": "fund", "args": {"id": 7}, "id": "t"}
    said = [
        SystemMessage("Be brief."),
        HumanMessage("Hi"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("7%", tool_call_id="t"),
    ]
    assert [(message.role, message.content) for message in Exchange(said).messages] == [
        ("system", "Be brief."), ("user", "Hi"), ("assistant", "[fund({'id': 7})]"), ("tool", "7%"),
    ]  # fmt: skip

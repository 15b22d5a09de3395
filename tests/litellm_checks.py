"""What has to hold of `guard(litellm.completion)`: checks that LiteLLM's own environment runs, started by test_litellm.

LiteLLM cannot be installed beside the newest OpenAI SDK, so this script is run by another Python, which has
neither pytest nor this folder's helpers. It prints a JSON object: what failed in each check, or null.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import traceback
from contextlib import aclosing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DRAFT = "A gain is certain. Costs are low."
RIGHT = "A gain is possible. Costs are low."
FINE = "It may fall. Costs are low."
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
CALL = {"id": "t1", "type": "function", "function": {"name": "quote", "arguments": '{"certain": true}'}}
PIECES = [{"function": {"arguments": '{"certain":'}}, {"function": {"arguments": " true}"}}]
LEAVING = 200  # events of a stream that nobody reads to its end
CERTAIN = {"pattern": r"\bcertain\b", "decides": True, "fix": {"replace": "possible"}}
RULES = {
    "name": "small",
    "version": "1",
    "fallback": {"en": "Ask a person."},
    "principles": [
        {"id": "no-certainty", "title": "N", "severity": "high", "rule": "Never certain.", "checks": [CERTAIN]},
        {
            "id": "no-secrets",
            "title": "N",
            "severity": "high",
            "on_violation": "block",
            "rule": "Never show a secret.",
            "checks": [{"pattern": "secret", "decides": True}],
        },
    ],
}


class Play:
    """What a check needs: LiteLLM, the guard library, a server that answers with `texts` or `chunks`, what it saw."""

    def __init__(self, litellm, guardrails, rules, url):
        self.litellm, self.guardrails, self.rules = litellm, guardrails, rules
        self.asked = {
            "model": "openai/m-1",
            "api_base": url,
            "api_key": "k",
            "messages": [{"role": "user", "content": "Is it safe?"}],
        }
        self.guard = self.guard_of()
        self.choices, self.chunks, self.seen, self.left = [said(DRAFT)], spoken(DRAFT), [], threading.Event()

    def guard_of(self, **options):
        return self.guardrails.Guard(self.rules, **{"judge": "rules", "audit": None, **options})

    @staticmethod
    def raised(kind, function, **arguments):
        """The error of this kind that a call raises."""
        try:
            function(**arguments)
        except kind as error:
            return error
        raise AssertionError(f"no {kind.__name__}")

    def both(self, guard=None, **options):
        """The reply of the bare call, the guarded one, and the guarded one of the async function."""
        guard, asked = guard or self.guard, {**self.asked, **options}
        return (
            self.litellm.completion(**asked),
            guard(self.litellm.completion)(**asked),
            asyncio.run(guard(self.litellm.acompletion)(**asked)),
        )

    def streams(self, guard=None, **options):
        """The same of streams, read to their ends."""
        guard, asked = guard or self.guard, {**self.asked, "stream": True, **options}

        async def read():
            return [chunk async for chunk in await guard(self.litellm.acompletion)(**asked)]

        return (
            list(self.litellm.completion(**asked)),
            list(guard(self.litellm.completion)(**asked)),
            asyncio.run(read()),
        )


def said(text, index=0, **message):
    whole = {"role": "assistant", "content": text, "refusal": None, **message}
    return {"index": index, "finish_reason": "tool_calls" if text is None else "stop", "message": whole}


def chunk(finish=None, **delta):
    one = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [one]}


def spoken(text):
    words = [chunk(content=word + " ") for word in text.split(" ")[:-1]]
    return [chunk(role="assistant", content=""), *words, chunk(content=text.split(" ")[-1]), chunk("stop")]


def text_of(chunks):
    return "".join(one.choices[0].delta.content or "" for one in chunks)


def shown(chunks):
    """Chunks as data, but for the time at which LiteLLM made them."""
    return [one.model_dump(exclude={"created"}) for one in chunks]


def check_a_passing_reply_is_unchanged(play):
    """Equal in everything, and where the function's own object is at hand, the very same."""
    play.choices = [said(FINE, reasoning_content="Hm, certain.")]
    bare, *made = play.both()
    for one in made:
        assert type(one) is type(bare)
        assert one.model_dump() == bare.model_dump()
        assert play.guardrails.outcome_of(one).status.value == "passed"
    held = []

    @play.guard
    def ask(messages):
        held.append(play.litellm.completion(**{**play.asked, "messages": messages}))
        return held[0]

    assert ask(play.asked["messages"]) is held[0]


def check_a_revised_reply_differs_in_its_text_alone(play):
    """And in what repeats or describes a text: the conversation was read from `messages`."""
    bare, *made = play.both()
    expected = bare.model_dump()
    message = expected["choices"][0]["message"]
    message["content"] = RIGHT
    message["provider_specific_fields"] = expected["choices"][0]["provider_specific_fields"] = None
    for one in made:
        assert type(one) is type(bare)
        assert one.model_dump() == expected
        assert one._hidden_params["custom_llm_provider"] == "openai"
        outcome = play.guardrails.outcome_of(one)
        assert (outcome.status.value, outcome.original, outcome.text) == ("revised", DRAFT, RIGHT)
        assert "certain" not in repr((one, one.__dict__, one.__pydantic_private__))
    assert play.seen[0] == play.seen[1] == play.seen[2]


def check_the_conversation_is_judged(play):
    """The judge is shown the messages that were sent, system prompt included."""
    shown_to = []

    def judge(request):
        shown_to.append(request.messages[0].content)
        return '{"findings": []}'

    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it safe?"}]
    play.choices = [said(FINE)]
    play.both(play.guard_of(judge=None, model=judge), messages=messages)
    assert all("Be brief." in text and "Is it safe?" in text and "It may fall." in text for text in shown_to)
    assert len(shown_to) == 2


def check_a_blocked_reply_raises_or_falls_back(play):
    """Blocked, or the fallback in the same type; nothing of the draft in either."""
    play.choices, play.chunks = [said("A secret.")], spoken("A secret.")
    for ask in (play.both, play.streams):
        blocked = play.raised(play.guardrails.errors.Blocked, ask)
        assert "A secret" not in str(blocked)
        assert blocked.__cause__ is None
    guard = play.guard_of(on_blocked="fallback")
    bare, *made = play.both(guard)
    for one in made:
        assert type(one) is type(bare)
        assert one.choices[0].message.content == "Ask a person."
        assert play.guardrails.outcome_of(one).status.value == "blocked"
    for out in play.streams(guard)[1:]:
        assert text_of(out).strip() == "Ask a person."
        assert out[-1].choices[0].finish_reason == "stop"


def check_several_choices_have_an_outcome_each(play):
    """n=2: the one that passed is as it was."""
    play.choices = [said(FINE), said(DRAFT, 1)]
    bare, *made = play.both(n=2)
    for one in made:
        assert [choice.message.content for choice in one.choices] == [FINE, RIGHT]
        assert one.choices[0].model_dump() == bare.choices[0].model_dump()
        assert [outcome.status.value for outcome in play.guardrails.outcome_of(one)] == ["passed", "revised"]


def check_tool_calls_are_untouched(play):
    """Whole and streamed, whatever their arguments say."""
    play.choices = [said(None, tool_calls=[CALL])]
    first = {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "quote", "arguments": ""}}]}
    calls = [first, *({"tool_calls": [piece]} for piece in PIECES)]
    for delta in calls:
        delta["tool_calls"][0]["index"] = 0
    play.chunks = [*(chunk(**delta) for delta in calls), chunk("tool_calls")]
    bare, *made = play.both()
    assert all(one.model_dump() == bare.model_dump() for one in made)
    bare, *made = play.streams()
    assert bare[0].choices[0].delta.tool_calls
    assert all(shown(one) == shown(bare) for one in made)


def check_a_stream_that_passes_comes_as_it_came(play):
    """The very same chunks, usage included."""
    play.chunks = [*spoken(FINE), {**chunk(), "choices": [], "usage": USAGE}]
    bare, *made = play.streams(stream_options={"include_usage": True})
    assert bare[-1].usage.total_tokens == 8
    for out in made:
        assert {type(one) for one in out} == {type(one) for one in bare}
        assert shown(out) == shown(bare)
    held = []

    @play.guard
    def ask(messages):
        for one in play.litellm.completion(**{**play.asked, "messages": messages, "stream": True}):
            held.append(one)
            yield one

    assert [id(one) for one in ask(play.asked["messages"])] == [id(one) for one in held]


def check_a_revised_sentence_is_one_chunk(play):
    """The others keep theirs, and LiteLLM builds the revised reply of what came out."""
    bare, *made = play.streams()
    assert text_of(bare) == DRAFT
    for out in made:
        assert text_of(out) == RIGHT
        assert [one.choices[0].delta.content for one in out[1:-1]] == ["A gain is possible. ", "Costs ", "are ", "low."]
        assert shown(out[-3:]) == shown(bare[-3:])
        assert {type(one) for one in out} == {type(one) for one in bare}
        assert "certain" not in repr([(one, one.__dict__, one.__pydantic_private__) for one in out])
        built = play.litellm.stream_chunk_builder(out)
        assert built.choices[0].message.content == RIGHT
        assert built.choices[0].finish_reason == "stop"


def check_mock_responses_are_guarded(play):
    """What LiteLLM makes up without a server, in any of its four forms; its mock errors pass."""
    _, *made = play.both(mock_response=DRAFT)
    assert [one.choices[0].message.content for one in made] == [RIGHT, RIGHT]
    assert [text_of(out) for out in play.streams(mock_response=DRAFT)] == [DRAFT, RIGHT, RIGHT]
    assert not play.seen
    guarded = play.guard(play.litellm.completion)
    play.raised(play.litellm.RateLimitError, guarded, **play.asked, mock_response="litellm.RateLimitError")


def check_outcomes_of_streams(play):
    """`outcome_of` a stream that was read; `.outcome(…)` makes the call and reads it."""
    asked = {**play.asked, "stream": True}
    guarded, aguarded = play.guard(play.litellm.completion), play.guard(play.litellm.acompletion)
    stream = guarded(**asked)
    list(stream)
    assert play.guardrails.outcome_of(stream).text == RIGHT
    assert guarded.outcome(**asked).text == RIGHT
    assert guarded.outcome(**play.asked).text == RIGHT
    assert asyncio.run(aguarded.outcome(**asked)).text == RIGHT

    async def read():
        stream = await aguarded(**asked)
        assert text_of([one async for one in stream]) == RIGHT
        return play.guardrails.outcome_of(stream).text

    assert asyncio.run(read()) == RIGHT


def check_a_consumer_that_leaves(play):
    """Leaving early ends the review with a record, leaves no task, and hangs up."""
    play.chunks = [chunk(role="assistant", content=""), *(chunk(content="It may fall. ") for _ in range(LEAVING)), None]
    with tempfile.TemporaryDirectory() as folder:
        guard = play.guard_of(audit=Path(folder) / "audit.db")
        with guard(play.litellm.completion)(**play.asked, stream=True) as stream:
            assert text_of([next(stream), next(stream)]) == "It may fall. "
        del stream
        gc.collect()  # LiteLLM's sync stream has no close, and is part of a cycle: it hangs up when it is collected
        assert play.left.wait(5)
        play.left.clear()

        async def leave():
            async with aclosing(await guard(play.litellm.acompletion)(**play.asked, stream=True)) as stream:
                assert text_of([await anext(stream), await anext(stream)]) == "It may fall. "
            readers = [task for task in asyncio.all_tasks() if "guardrails" in repr(task.get_coro())]
            hung_up = await asyncio.to_thread(play.left.wait, 5)
            return readers, hung_up

        assert asyncio.run(leave()) == ([], True)
        runs = [guard.audit.run(run.run_id).run.outcome for run in guard.audit.runs()]
        assert [(run.cause.value, run.released.strip(" ")) for run in runs] == [("interrupted", "It may fall.")] * 2
        guard.close()


def check_a_router_is_guarded(play):
    """Its methods take the same arguments."""
    where = {name: play.asked[name] for name in ("model", "api_base", "api_key")}
    router = play.litellm.Router(model_list=[{"model_name": "m", "litellm_params": where}])
    asked = {"model": "m", "messages": play.asked["messages"]}
    assert play.guard(router.completion)(**asked).choices[0].message.content == RIGHT
    assert text_of(play.guard(router.completion)(**asked, stream=True)) == RIGHT


def check_monitor_mode_changes_nothing(play):
    """The draft, whole and streamed."""
    with play.guard_of(mode="monitor") as guard:
        assert [one.choices[0].message.content for one in play.both(guard)] == [DRAFT] * 3
        assert [text_of(out) for out in play.streams(guard)] == [DRAFT] * 3


class Handler(BaseHTTPRequestHandler):
    """Answers with what the play says; a None among its chunks keeps the line open until the client is gone."""

    def do_POST(self):
        play = self.server.play
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        play.seen.append(asked)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
        self.end_headers()
        if not asked.get("stream"):
            whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m-1", "usage": USAGE}
            self.wfile.write(json.dumps({**whole, "choices": play.choices}).encode())
            return
        try:
            for one in play.chunks:
                if one is None:
                    self.rfile.read(1)  # b"" once it has hung up
                    play.left.set()
                    return
                self.wfile.write(f"data: {json.dumps(one)}\n\n".encode())
        except ConnectionError:
            play.left.set()
        else:
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *args):
        pass


@contextmanager
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield made
        finally:
            made.shutdown()


def checks():
    return {name: check for name, check in globals().items() if name.startswith("check_")}


def main():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise it asks the network for prices, for seconds
    import litellm

    import guardrails

    litellm.suppress_debug_info = True
    failed = {}
    with tempfile.TemporaryDirectory() as folder, server() as made:
        path = Path(folder) / "small.yaml"
        path.write_text(json.dumps(RULES), encoding="utf-8")
        rules = guardrails.Constitution.load(path)
        for name, check in checks().items():
            made.play = Play(litellm, guardrails, rules, f"http://127.0.0.1:{made.server_port}")
            try:
                check(made.play)
                failed[name] = None
            except Exception:  # noqa: BLE001 - whatever it is, it is the check's result
                failed[name] = traceback.format_exc()
    sys.stdout.write(json.dumps(failed))


if __name__ == "__main__":
    main()

"""Decorated functions: bound like what they wrap, judged by what they were asked, monitored without harm."""

import asyncio
import functools
import inspect
import os
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from pathlib import Path

import anthropic
import pytest
from support import constitution, principle
from wire import Anthropic, serve

from guardrails import AuditTrail, FunctionJudge, Guard, Status, Verdict, labels
from guardrails._monitor import Behind
from guardrails.errors import ConfigurationError, UnsupportedReply
from guardrails.models import run

RULES = constitution(
    principle("no-certainty", checks=[{"pattern": "certain", "decides": True, "fix": {"replace": "possible"}}])
)
SAID, RELEASED = "A gain is certain.", "A gain is possible."
MONITORING = """
import asyncio, logging, threading
logging.basicConfig(format="%(message)s")
from guardrails import Constitution, FunctionJudge, Guard

began, forever = threading.Semaphore(0), threading.Event()

def stuck(exchange, principle):
    began.release()
    forever.wait()

async def clean(request):
    await asyncio.sleep(0)
    return '{{"findings": []}}'

guard = Guard(Constitution.load({path!r}), mode="monitor", audit={audit!r}, {options})

@guard
def answer(question: str) -> str:
    return "A gain is certain."
"""


class Caller:
    def __call__(self, question: str) -> str:
        return SAID


class AsyncCaller:
    async def __call__(self, question: str) -> str:
        return SAID


@pytest.fixture
def guard():
    return Guard(RULES, audit=None)


@pytest.fixture
def seen():
    """What a judge is shown, and a guard that has this judge."""
    return []


@pytest.fixture
def seeing(seen):
    judge = FunctionJudge(lambda exchange, p: seen.append(exchange) or Verdict(p.id, "complies", "eye"), RULES.by_id)
    return functools.partial(Guard, RULES, judge=judge, audit=None)


def finished(value):
    """What a call returns, awaited where it is to be."""

    async def wait():
        return await value

    return asyncio.run(wait()) if inspect.isawaitable(value) else value


def test_the_function_cannot_replace_the_guards_own(guard):
    """A callable object's attributes, and a function's, stay their own: what is released is guarded."""

    class Hostile:
        def __call__(self, question: str) -> str:
            return SAID

    def function(question: str) -> str:
        return SAID

    for target in (Hostile(), function):
        mine = {name for name in dir(guard(target)) if not name.startswith("__")}
        for name in mine:
            setattr(target, name, lambda *args, **kwargs: SAID)
        target.note = "kept"
        assert mine >= {"outcome", "_guard", "_released"}
        assert (guard(target)("q"), guard(target).outcome("q").status) == (RELEASED, Status.REVISED)
    assert guard(function).note == "kept"


def test_what_other_decorators_noted_stays(guard):
    """An abstract method stays abstract below a guard."""

    class Desk(ABC):
        @guard
        @abstractmethod
        def answer(self, question: str) -> str: ...

    with pytest.raises(TypeError, match="abstract"):
        Desk()


@pytest.mark.parametrize("kind", ["def", "async def", "def that returns a coroutine"])
def test_a_reply_is_not_its_own_source(seeing, seen, kind):
    """The conversation is read before the function runs, which may add its own answer to it."""

    def chat(messages: list):
        messages.append({"role": "assistant", "content": SAID})
        return SAID

    async def achat(messages: list):
        return chat(messages)

    def wrapper(messages: list):
        return achat(messages)

    function = {"def": chat, "async def": achat}.get(kind, wrapper)
    messages = [{"role": "user", "content": "Safe?"}]
    finished(seeing()(function)(messages))
    assert [m.content for m in seen[0].messages] == ["Safe?"]
    assert len(messages) == 2


async def test_a_coroutine_functions_conversation_is_what_it_sees(seeing, seen):
    """What is added before a coroutine runs, the function is asked, and so the judge sees it."""

    @seeing()
    async def answer(messages: list) -> str:
        return f"{len(messages)} heard."

    messages = [{"role": "user", "content": "One."}]
    task = asyncio.create_task(answer(messages))
    messages.append({"role": "user", "content": "Two."})
    assert await task == "2 heard."
    assert len(seen[0].messages) == 2


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
@pytest.mark.parametrize(("args", "kwargs"), [((), {}), (("q", 1, 2), {}), (("q",), {"nosuch": 1})])
def test_wrong_arguments_are_the_functions_own_type_error(mode, args, kwargs):
    """A call that the function does not take raises what the function raises."""

    def answer(question: str, limit: int = 3) -> str: ...

    async def aanswer(question: str, limit: int = 3) -> str: ...

    for function in (answer, aanswer, functools.partial(answer, limit=2)):
        with pytest.raises(TypeError) as own:
            function(*args, **kwargs)
        guarded = Guard(RULES, mode=mode, audit=None)(function)
        for call in (guarded, guarded.outcome):
            with pytest.raises(TypeError) as caught:
                call(*args, **kwargs)
            assert str(caught.value) == str(own.value)


def test_a_signature_that_is_not_the_functions(guard):
    """What a function takes against its own signature cannot be read, so its reply is not released."""

    @functools.wraps(lambda question: None)
    def answer(*args):
        return SAID

    with pytest.raises(ConfigurationError, match="wrap it in a def"):
        guard(answer)("q", "more")


def desks(guard):
    """A class that has a guarded function in every way, names of async ones in `a`; and the same, unguarded."""

    def method(self, question: str) -> str:
        return f"{self} says: {SAID}"

    async def amethod(self, question: str) -> str:
        return f"{self} says: {SAID}"

    def of_class(cls, question: str) -> str:
        return f"{cls.__name__} says: {SAID}"

    async def aof_class(cls, question: str) -> str:
        return f"{cls.__name__} says: {SAID}"

    def plain(question: str) -> str:
        return SAID

    async def aplain(question: str) -> str:
        return SAID

    def desk(guard):
        class Desk:
            method_of_desk, amethod_of_desk = guard(method), guard(amethod)
            outer, aouter = guard(classmethod(of_class)), guard(classmethod(aof_class))
            inner, ainner = classmethod(guard(of_class)), classmethod(guard(aof_class))
            static, astatic = guard(staticmethod(plain)), staticmethod(guard(aplain))
            part = staticmethod(guard(functools.partial(method, "Part")))
            apart = staticmethod(guard(functools.partial(amethod, "Part")))
            caller, acaller = guard(Caller()), guard(AsyncCaller())
            bound, abound = guard(Caller().__call__), guard(AsyncCaller().__call__)

            def __str__(self):
                return "Desk"

        return Desk

    return desk(guard), desk(lambda function: function)


NAMES = [name for name in vars(desks(lambda function: function)[0]) if not name.startswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_a_guarded_function_is_bound_as_the_function_would_be(guard, name):
    """On an instance: the same signature, a coroutine function where it is one, called with the same receiver."""
    ours, plain = (getattr(desk(), name) for desk in desks(guard))
    released = finished(plain("q")).replace("certain", "possible")
    assert inspect.signature(ours) == inspect.signature(plain)
    assert inspect.iscoroutinefunction(ours) == name.startswith("a")
    assert finished(ours("q")) == released
    if name not in {"inner", "ainner"} or sys.version_info < (3, 13):
        assert finished(ours.outcome("q")).text == released
    else:
        with pytest.raises(ConfigurationError, match="above @classmethod"):
            ours.outcome("q")


@pytest.mark.parametrize("name", [name for name in NAMES if "method" not in name])
def test_a_guarded_function_of_a_class_needs_no_instance(guard, name):
    """Class methods, static methods and what is bound already work on the class."""
    ours, plain = (getattr(desk, name) for desk in desks(guard))
    assert finished(ours("q")) == finished(plain("q")).replace("certain", "possible")


@pytest.mark.parametrize("as_attribute", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_an_sdks_own_method(guard, is_async, as_attribute):
    """`messages.create` of either client, as a function or as a class attribute: the guarded type comes back."""
    with serve() as wire:
        wire.play(Anthropic.says(SAID))
        client = (anthropic.AsyncAnthropic if is_async else anthropic.Anthropic)(api_key="k", base_url=wire.url)
        create = guard(client.messages.create)
        create = type("Desk", (), {"create": create})().create if as_attribute else create
        ask = {"model": "m-1", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]}

        async def call():  # on one loop, for the client's sake
            reply = create(**ask)
            reply = await reply if is_async else reply
            await client.close() if is_async else client.close()
            return reply

        reply = asyncio.run(call())
    assert (type(reply), reply.content[0].text) == (anthropic.types.Message, RELEASED)


def test_monitor_mode_breaks_no_call(caplog):
    """What cannot be judged passes as it is, iterators unread, and is an error in the log only."""
    with Guard(RULES, mode="monitor", audit=None) as monitor:
        echo = monitor(lambda messages, reply: reply)
        for messages, reply in ((42, "Fine."), ("q", 42), (iter(["q"]), None), ("q", object())):
            caplog.clear()
            assert echo(messages, reply) is reply
            assert [record.levelname for record in caplog.records] == ["ERROR"]
        for streamed in (["A", "B"], [1, 2]):
            caplog.clear()
            assert list(echo("q", iter(streamed))) == streamed
            assert len(caplog.records) == (streamed == [1, 2])
        assert monitor(lambda messages: list(messages) * 2)(iter("hi")) == ["h", "i", "h", "i"]

        @monitor
        async def answer(question):
            return question

        assert asyncio.run(answer(7)) == 7
    with pytest.raises(UnsupportedReply):
        echo.outcome("q", 42)


def test_monitor_mode_starts_few_threads_and_takes_the_labels_along(tmp_path):
    """Two thousand quick calls make no thousand threads, and each record has the labels of its call."""
    most = []
    judge = FunctionJudge(lambda *_: most.append(threading.active_count()), RULES.by_id)
    with Guard(RULES, judge=judge, mode="monitor", audit=None) as monitor:
        for _ in range(2000):
            monitor(lambda question: "Fine.")("q")
    assert len(most) == 2000
    assert max(most) < 100
    with Guard(RULES, mode="monitor", audit=tmp_path / "a.db") as monitor:
        for case in "abc":
            with labels(case=case):
                monitor(lambda question: "Fine.")("q")
    with AuditTrail.open(tmp_path / "a.db") as trail:
        assert {trail.run(each.run_id).run.labels["case"] for each in trail.runs()} == set("abc")


class Slow:
    """A judge whose own work, not its requests, lasts until it is let go."""

    name = "slow"

    def __init__(self):
        self.began, self.go = threading.Event(), threading.Event()

    def covers(self, principle):
        return True

    def judge(self, exchange, principles):
        self.began.set()
        self.go.wait(30)
        return [Verdict(p.id, "complies", self.name) for p in principles]
        yield


def test_judging_behind_the_caller_stalls_nobody():
    """While a reply is judged that takes long to judge, the private loop serves others."""
    judge = Slow()
    with Guard(RULES, judge=judge, mode="monitor", audit=None) as monitor:
        assert monitor(lambda question: SAID)("q") == SAID
        assert judge.began.wait(30)
        assert run(asyncio.sleep(0, "served"), timeout=30) == "served"
        judge.go.set()


def test_an_app_that_outruns_its_judges_drops_reviews_not_memory(caplog):
    """What waits is bounded; what is dropped is said."""
    judge = Slow()
    with Guard(RULES, judge=judge, mode="monitor", audit=None) as monitor:
        function = monitor(lambda question: "Fine.")
        for _ in range(10_001):
            function("q")
        judge.go.set()
    assert "10000 reviews wait already" in caplog.text


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_closes_without_its_parents_reviews(tmp_path):
    """A child waits for its own reviews only, and its parent's are done once, by the parent."""
    judge, path = Slow(), tmp_path / "a.db"
    monitor = Guard(RULES, judge=judge, mode="monitor", audit=path)
    function = monitor(lambda question: "Fine.")
    function("parent")
    assert judge.began.wait(30)
    child = os.fork()
    if not child:
        monitor.close()
        judge.go.set()
        function("child")
        monitor.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    judge.go.set()
    monitor.close()
    with AuditTrail.open(path) as trail:
        assert [trail.run(each.run_id).run.exchange.prompt for each in trail.runs()] == ["parent", "child"]


def ending(tmp_path, code, options):
    """A process that monitors, runs this code and ends without `close()`."""
    rules = '{"name": "t", "version": "1", "principles": [{"id": "p", "title": "p", "severity": "high", "rule": "r"}]}'
    Path(tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    audit = str(tmp_path / "a.db")
    program = MONITORING.format(path=str(tmp_path / "rules.yaml"), audit=audit, options=options) + code
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)


@pytest.mark.parametrize("options", ["allow_unjudged=True", "model=clean"])
def test_the_end_of_the_process_waits_for_what_is_under_way(tmp_path, options):
    """An app that never closes its guard loses no record when it ends, whoever judges."""
    done = ending(tmp_path, "for number in range(200): answer(str(number))", options)
    assert done.stderr == ""
    with AuditTrail.open(tmp_path / "a.db") as trail:
        status = Status.PASSED if "model" in options else Status.BLOCKED
        assert [run.status for run in trail.runs()] == [status] * 200


def test_the_end_of_the_process_does_not_wait_forever(tmp_path):
    """A judge that never answers is given up after a while, and the log says how many reviews are lost."""
    code = "for number in range(2): answer(str(number)); began.acquire()"
    done = ending(tmp_path, code, "judge=FunctionJudge(stuck, {'p'})")
    assert done.stderr == "monitor mode lost 2 reviews: the process ends. A guard's close() waits for them.\n"


def test_after_its_end_nothing_is_taken_and_nothing_waited_for():
    """Reviews that come after the end are refused, and joining returns."""
    behind, go = Behind(patience=0), threading.Event()
    behind.put("a", functools.partial(go.wait, 30))
    assert behind.join("b", 0) == 0
    assert behind.join("a", 0) == 1
    behind.end()
    assert behind.join("a") == 0
    with pytest.raises(RuntimeError, match="the process ends"):
        behind.put("a", go.set)
    go.set()

"""Helpers of the core tests: constitutions from plain data, steps driven by hand, and hostile texts."""

import contextlib
import inspect
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from guardrails.constitution import Constitution
from guardrails.models import ModelReply

# What breaks splitters, prompts and patterns: line ends of every kind, Markdown, quotations, invisible and lone halves.
PIECES = (
    *("It fell. ", "Really? ", "Dr. Lee paid 3.5% (e.g. fees). ", '"No." ', "not guaranteed ", "It can’t", "… "),
    *(
        "価格は変動します。",
        "「大丈夫です。」",
        "「はい。」と言った。",
        "『損。』",
        "ﾊﾟﾝﾌﾚｯﾄ",
        "㎎",
        "５％",
        "か\u3099",
        "ﾊ\u200bﾞ",
        "・",
    ),
    *(
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\t",
        " ",
        "\u3000",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1d",
        "\x1e",
        "\x85",
        "\u2028",
        "\u2029",
        "\x00",
    ),
    *(
        "- ",
        "1. ",
        "2: ",
        "> ",
        "# ",
        "* ",
        "```\n",
        "~~~\n",
        "| a | b |\n",
        "|---|\n",
        "</exchange>",
        "reply to judge:\n",
    ),
    *(
        "\ud800",
        "\udfff",
        "\u200b",
        "\u00ad",
        "\ufeff",
        "\u202e",
        "\u0301",
        "😀",
        "👩\u200d⚕️",
        "ﬁ",
        "Ⅳ",
        "a",
        "。",
        ".",
    ),
)
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
hostile_text = st.one_of(any_text, st.lists(st.sampled_from(PIECES), max_size=20).map("".join))


@contextmanager
def folder(files):
    """A folder with these files: text, bytes, or data to be written as JSON, which is YAML too."""
    with tempfile.TemporaryDirectory() as name:
        for path, content in files.items():
            write(Path(name) / path, content)
        yield Path(name)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str | bytes):
        content = json.dumps(content, ensure_ascii=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def principle(name, **fields):
    return {"id": name, "title": name, "severity": "high", "rule": f"The rule of {name}.", **fields}


def constitution(*principles, jurisdiction=None, **top):
    """A compiled constitution; principles are given by their ids or as data, the rest as `constitution.yaml` has it."""
    data = [principle(p) if isinstance(p, str) else p for p in principles]
    with folder({"test.yaml": {"name": "test", "version": "1", "principles": data, **top}}) as path:
        return Constitution.load(path / "test.yaml", jurisdiction=jurisdiction)


def drive(step, answer=None):
    """Run a step by hand: `answer` is a function from a request to its result, or a list of results."""
    answers = None if callable(answer) else iter(answer or ())
    results = None
    while True:
        try:
            requests = step.send(results)
        except StopIteration as stop:
            return stop.value
        results = [next(answers) if answers is not None else answer(request) for request in requests]


def said(value, **fields):
    """A model's reply with this object, or this text."""
    return ModelReply(value if isinstance(value, str) else json.dumps(value), **fields)


async def done(value):
    return await value if inspect.isawaitable(value) else value


async def collected(stream, into=None):
    """What a stream gives, sync or not; `into` holds it even where the stream raises."""
    into = [] if into is None else into
    if hasattr(stream, "__aiter__"):
        async for one in stream:
            into.append(one)
    else:
        into.extend(stream)
    return into


@contextlib.asynccontextmanager
async def opened(manager):
    if hasattr(manager, "__aenter__"):
        async with manager as held:
            yield held
    else:
        with manager as held:
            yield held

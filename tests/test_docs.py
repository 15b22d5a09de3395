"""What the pages say is so: their code runs, their excerpts are what is printed, their links lead somewhere."""

import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guardrails import Constitution
from guardrails.cli import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("**/*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run: ids, hashes, times, and where the trail is.
VARYING = [
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<run>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "<time>"),
    (re.compile(r"\d+\.\d ms"), "<ms>"),
    (re.compile(r"signed by the key \S+;"), "signed by the key <key>;"),
    (re.compile(r"sqlite:///\S+"), "<trail>"),
]
# Commands that the pages' consoles may use besides our own, for machines that lack them.
SHELL = """
guardrails() { "$PYTHON" -m guardrails "$@"; }
sqlite3() { "$PYTHON" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])' "$@"; }
"""


def _name(page):
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{_name(self.page)}:{self.line}"


def blocks(*languages):
    return [
        Block(page, text.count("\n", 0, fence.start()) + 2, fence[1], fence[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for fence in FENCE.finditer(text)
        if fence[1] in languages
    ]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    def refuse(self, address):
        raise AssertionError(f"the pages' code runs without a network, and this connects to {address}")

    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "OPENAI_", "GUARDRAILS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_runs_as_it_stands(block, offline):
    source = "\n" * (block.line - 1) + block.text  # so that a traceback names the page's line
    exec(compile(source, str(block.page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_consoles_print_what_the_page_shows_and_yaml_loads(page, offline):
    """Top to bottom, in one folder: YAML is written where its first line says, `$` lines are run.

    A ```yaml block has to load once it is in its place; ```yml marks the ones with mistakes.
    """
    for block in (b for b in blocks("yaml", "yml", "console") if b.page == page):
        if block.language == "console":
            assert steady(console(block.text, offline)) == steady(block.text), block
            continue
        name = re.match(r"# (\S+\.yaml)\n", block.text)
        assert name, f"{block}: begin a file with its name, as in `# acme-bank/constitution.yaml`"
        file = offline / name[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
        if block.language == "yaml" and name[1].endswith("constitution.yaml"):
            continue  # its principles follow
        if block.language == "yaml":
            assert Constitution.load(offline / name[1].partition("/")[0]).principles


def console(text, folder):
    """What a console prints, commands included."""
    printed = []
    for line in text.splitlines():
        if line.startswith("$ "):
            environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
            done = subprocess.run(
                ["bash", "-c", SHELL + line.removeprefix("$ ")],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                timeout=120,
                check=False,
            )
            printed += [line, *(said.rstrip() for said in done.stdout.splitlines())]
    return "\n".join(printed) + "\n"


def steady(text):
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return "\n".join(re.sub(r"(?<=\S) {2,}(?=\S)", "  ", line) for line in text.splitlines())


def test_the_readmes_two_commands_are_two_lines_under_their_headings():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [block.text for block in blocks("bash") if block.page.name == "README.md"]
    assert len(commands) == 2
    for heading, command in zip(["## Try it", "## Test it"], commands, strict=True):
        assert command.count("\n") == 1
        assert f"{heading}\n\n```bash\n{command}```" in text


def test_the_policy_page_is_what_the_policy_says():
    spec = importlib.util.spec_from_file_location("make_policy", ROOT / "docs" / "make_policy.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.page() == script.PAGE.read_text(encoding="utf-8"), "python docs/make_policy.py > docs/policy.md"


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    required = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.match(r"[A-Za-z0-9-]+", requirement)[0] for requirement in required}
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page, re.MULTILINE))
    assert set(rows) == names
    assert all(rows.values())


def test_the_architecture_page_names_the_floors_in_their_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [re.split(r" [:|] ", layer) for layer in contracts[0]["layers"]]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?`) \| [^|]+ \|$", page, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == [
        name for layer in layers for name in layer
    ]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_name)
def test_links_lead_somewhere(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.is_relative_to(ROOT), target
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands_and_options_that_the_pages_name_exist():
    everywhere = set().union(*(options(*command) for command in [(), *map(tuple, COMMANDS)]))
    named = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in command_lines(text):
            command = next((c for c in COMMANDS if line[: len(c)] == c), None)
            assert command, f"{page.name}: guardrails {' '.join(line)}"
            given = {word.partition("=")[0] for word in line if re.match(r"--?[a-z]", word)}
            assert given <= options(*command), f"{page.name}: guardrails {' '.join(line)}"
            named += 1
        for option in re.findall(r"`(--[a-z][a-z-]*)", FENCE.sub("", text)):
            assert option in everywhere | SCRIPTS, f"{page.name}: {option}"
    assert named > 10


AUDIT = [
    "acts",
    "list",
    "show",
    "verify",
    "queue",
    "decide",
    "hold",
    "erase",
    "prune",
    "checkpoint",
    "export",
    "report",
]
COMMANDS = [
    ["review"],
    ["show"],
    ["init"],
    ["schema"],
    ["import"],
    ["lint"],
    ["test"],
    ["calibrate"],
    ["approve"],
    ["diff"],
    ["backtest"],
    *(["audit", name] for name in AUDIT),
]
SCRIPTS = {"--check", "--guardrails-model", "--guardrails-runs"}  # of docs/make_policy.py, and of pytest


def options(*command):
    shown = CliRunner().invoke(app, [*command, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.output))


def command_lines(text):
    """The words of every command `guardrails …`, in code fences and in running text."""
    for fence in FENCE.finditer(text):
        if fence[1] in {"bash", "sh", "console"}:
            for line in fence[2].replace("\\\n", " ").splitlines():
                if fence[1] != "console" or line.startswith("$ "):
                    yield from words(line.removeprefix("$ "))
    for code in re.findall(r"`(guardrails [^`]+)`", FENCE.sub("", text)):
        yield from words(code)


def words(line):
    for part in line.split("&&"):
        if part.strip().startswith("guardrails "):
            yield list(takewhile(lambda word: word != "|", shlex.split(part)[1:]))


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_name)
def test_lines_are_short_and_no_path_of_a_machine_stands_in_the_text(page):
    text = page.read_text(encoding="utf-8")
    prose = [line for line in FENCE.sub("", text).splitlines() if not line.startswith("|")]
    assert [line for line in prose if len(line) > 120] == []
    assert re.findall(r"/(?:home|root|tmp|work|Users)/\S+", text) == []

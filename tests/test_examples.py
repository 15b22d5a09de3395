"""The examples run as they stand, in a folder of their own, and say what their docstrings promise."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from wire import Anthropic

from guardrails import Constitution, Guard, Status
from guardrails.testing import edits, finding

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
DOMAIN_TEAM = EXAMPLES / "03_domain_team_yaml"


def run(folder, *arguments, **environment):
    """A process of its own, with no key; warnings are errors."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "GUARDRAILS_"))}
    paths = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=folder,
        env={**kept, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return done


def test_every_example_is_tested_and_begins_with_what_it_teaches():
    names = {path.name for path in EXAMPLES.iterdir() if not path.name.startswith((".", "__"))}
    assert names == {
        "01_decorated_function.py",
        "02_async_service_with_anthropic.py",
        "03_domain_team_yaml",
        "04_read_the_trail.py",
        "05_streaming_service",
        "06_langchain_agent.py",
        "07_pydantic_ai_and_openai_agents.py",
    }
    for path in EXAMPLES.glob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path


def test_a_decorated_function_releases_what_was_mended(tmp_path):
    done = run(tmp_path, EXAMPLES / "01_decorated_function.py")
    assert done.returncode == 0
    answers = [line for line in done.stdout.splitlines() if line.startswith("A: ")]
    assert "guaranteed to return 8%" not in answers[0]
    assert answers[0].endswith("It charges 0.2% a year.")
    assert answers[1] == "A: An ETF is a fund whose shares trade on an exchange."
    assert "\nrevised\nbroke fin-no-guaranteed-returns in sentence (1,)" in done.stdout
    assert (tmp_path / "guardrails.db").exists()


class _Claude(BaseHTTPRequestHandler):
    """Answers, judges and revises over the wire, for as many callers at once as there are."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, asked))
        said = Anthropic.says(_said(asked)).content
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args):
        pass


def _said(asked):
    text = asked["messages"][0]["content"]
    schema = asked.get("output_config", {}).get("format", {}).get("schema")
    if schema is None:
        return "It only ever rises. It costs 0.2% a year." if "Everest" in text else "It follows an index."
    if "edits" in schema["properties"]:
        return json.dumps(edits({1: "It can rise, and it can fall."}))
    wrong = "only ever rises" in text
    return json.dumps(finding("fin-balanced-risk", sentences=[1]) if wrong else {"findings": []})


@contextmanager
def claude():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Claude) as server:
        server.daemon_threads = True
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_an_async_service_answers_judges_and_revises_over_the_wire(tmp_path):
    with claude() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        example = EXAMPLES / "02_async_service_with_anthropic.py"
        done = run(tmp_path, example, ANTHROPIC_BASE_URL=url, ANTHROPIC_API_KEY="none")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "ann: It follows an index.",
        "  passed; drafts: 1; 1 calls to judge and revise",
        "bob: It can rise, and it can fall. It costs 0.2% a year.",
        "  revised; drafts: 2; 3 calls to judge and revise",
    ]
    assert {path for path, _ in server.asked} == {"/v1/messages"}
    listed = run(tmp_path, "-m", "guardrails", "audit", "list", "--json")
    assert sorted(run["status"] for run in json.loads(listed.stdout)) == ["passed", "revised"]


def test_the_domain_teams_constitution_extends_finance_and_keeps_its_own_examples():
    bank = Constitution.load(DOMAIN_TEAM)
    finance = Constitution.load("finance")
    assert {p.id for p in bank.principles} == {p.id for p in finance.principles} | {"acme-no-fee-waivers"}
    guard = Guard(bank, judge="rules", allow_unjudged=True, audit=None)
    for example in bank.by_id["acme-no-fee-waivers"].examples:
        outcome = guard.review("", example.reply)
        found = {v.principle for v in outcome.attempts[0].verdicts if v.violates}
        assert ("acme-no-fee-waivers" in found) == bool(example.violates), example.reply
        if example.revised:
            assert outcome.text == example.revised


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_domain_teams_fallback_is_theirs(language):
    assert "Acme Bank" in Constitution.load(DOMAIN_TEAM).fallback_in(language)


def test_the_domain_teams_commands_do_what_their_page_says(tmp_path):
    fence = (DOMAIN_TEAM / "README.md").read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    commands = fence.strip().splitlines()
    assert [command.split()[1] for command in commands] == ["lint", "test", "show", "review"]
    shown = run(tmp_path, "-m", "guardrails", "show", DOMAIN_TEAM, "acme-no-fee-waivers")
    assert "Acme Bank" in shown.stdout
    assert "'Don't" not in commands[3]
    text = commands[3].partition('"')[2].rstrip('"')
    reviewed = run(tmp_path, "-m", "guardrails", "review", "--constitution", DOMAIN_TEAM, "--json", text)
    assert reviewed.returncode == 0
    assert json.loads(reviewed.stdout)["status"] == Status.REVISED


def test_the_trail_is_read_and_an_alteration_is_named(tmp_path):
    done = run(tmp_path, EXAMPLES / "04_read_the_trail.py")
    assert done.returncode == 0
    assert "labels: case, desk" in done.stdout
    assert "verify: internally consistent; not anchored: 4 records" in done.stdout
    assert "erased: The customer asked for it." in done.stdout
    last = done.stdout.splitlines()[-1]
    assert "record 1 (run" in last
    assert "the text 'original' was altered" in last


@pytest.mark.parametrize(
    ("example", "said"),
    [("06_langchain_agent.py", "not guaranteed"), ("07_pydantic_ai_and_openai_agents.py", "not guaranteed")],
)
def test_frameworks_release_what_was_mended(tmp_path, example, said):
    """Offline, with the real packages; what they say is what the guard let through."""
    done = run(tmp_path, EXAMPLES / example)
    assert done.returncode == 0
    assert said in done.stdout

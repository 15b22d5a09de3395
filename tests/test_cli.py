"""The command line: what it prints, where, and how it ends."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass

import pytest

from guardrails.cli import main

REPLY = "This ETF is guaranteed to return 8% a year, so you can't lose. It charges 0.2% a year."
REPLY_JA = "この投資信託なら必ず年5%の利益が出ます。手数料は年0.2%です。"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command in this process, which has imported already what a process of its own would import each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", f"sqlite:///{tmp_path}/audit.db")

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["guardrails", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def command(tmp_path):
    """The command as a shell starts it."""

    def command(*arguments, stdin=None, **environment):
        environment = {
            **os.environ,
            "GUARDRAILS_AUDIT": f"sqlite:///{tmp_path}/audit.db",
            "PYTHONIOENCODING": "utf-8",
            **environment,
        }
        return subprocess.run(
            [sys.executable, "-m", "guardrails", *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            env=environment,
            cwd=tmp_path,
            check=False,
        )

    return command


def test_a_process_ends_with_the_exit_code_and_writes_the_encoding_it_is_told(command):
    """Fine, could not run, found something: as shells and CI see it; no text in any language stops it."""
    done = command("review", "-c", "finance", "-", stdin=REPLY_JA)
    assert done.returncode == 0, done.stderr
    assert "手数料は年0.2%です。" in done.stdout
    assert json.loads(command("audit", "list", "--json").stdout)[0]["status"] == "revised"
    wrong = command("review", "-c", "finanse", "x")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Did you mean 'finance'?" in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize(("reply", "kept"), [(REPLY, " It charges 0.2% a year."), (REPLY_JA, "手数料は年0.2%です。")])
def test_review_revises_by_rules_alone(run, reply, kept):
    """No key, no model: the first sentence is revised, the second stays byte for byte, exit 0."""
    done = run("review", "--constitution", "finance", "--json", reply)
    outcome = json.loads(done.stdout)
    assert (done.returncode, outcome["status"]) == (0, "revised")
    assert outcome["text"].endswith(kept)
    assert [edit["sentence"] for edit in outcome["attempts"][1]["edits"]] == [1]
    assert "fin-no-guaranteed-returns" in {v["principle"] for v in outcome["attempts"][0]["verdicts"]}


def test_review_prints_a_story(run):
    """What people read names the principle, both wordings, what was not judged, and the run."""
    done = run("review", "-c", "finance", REPLY)
    first = done.stdout.splitlines()[0]
    assert first.startswith("revised (")
    assert " unjudged)" in first
    for expected in ("1 - This ETF is guaranteed", "+ This ETF", "2   It charges", "no model was given", "run 0"):
        assert expected in done.stdout


def test_the_trail_tells_the_story_and_catches_a_changed_byte(run, tmp_path):
    """`audit show` re-tells the newest run; an altered record makes `verify` exit 1 and name it."""
    run("review", "-c", "finance", REPLY)
    run("review", "-c", "finance", REPLY_JA)
    shown = run("audit", "show")
    assert shown.returncode == 0
    assert "手数料は年0.2%です。" in shown.stdout
    listed = json.loads(run("audit", "list", "--json").stdout)
    assert [one["status"] for one in listed] == ["revised", "revised"]
    assert run("audit", "verify").returncode == 0

    with sqlite3.connect(tmp_path / "audit.db", isolation_level=None) as database:
        with pytest.raises(sqlite3.IntegrityError):
            database.execute("UPDATE records SET body = replace(body, 'revised', 'reviseD') WHERE seq = 1")
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE records SET body = replace(body, 'revised', 'reviseD') WHERE seq = 1")
    database.close()
    verified = run("audit", "verify")
    assert verified.returncode == 1
    assert "record 1" in verified.stdout
    assert json.loads(run("audit", "verify", "--json").stdout)["seq"] == 1


def test_the_reply_may_come_from_a_file_or_standard_input(run, tmp_path):
    """Text, file and standard input are one and the same."""
    (tmp_path / "reply.txt").write_text(REPLY, encoding="utf-8")
    texts = {
        json.loads(done.stdout)["text"]
        for done in (
            run("review", "--json", REPLY),
            run("review", "--json", "--file", "reply.txt"),
            run("review", "--json", "reply.txt"),
            run("review", "--json", "-", stdin=REPLY),
            run("review", "--json", stdin=REPLY),
        )
    }
    assert len(texts) == 1


def test_many_replies_from_json_lines(run, tmp_path):
    """Each line is reviewed and recorded; a bad line is named and costs the others nothing."""
    rows = [{"prompt": "q", "reply": REPLY}, {"messages": [{"role": "user", "content": "q"}], "reply": "Prices vary."}]
    lines = [*map(json.dumps, rows), "{not json", '{"prompt": "q"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = run("review", "--jsonl", "in.jsonl", "--json")
    result = json.loads(done.stdout)
    assert [one["status"] for one in result["outcomes"]] == ["revised", "passed"]
    assert [reject[:7] for reject in result["rejects"]] == ["line 3:", "line 4:"]
    assert done.returncode == 2
    text = run("review", "--jsonl", "in.jsonl").stdout
    assert "1 passed (1 with principles that nobody judged; add --model …), 1 revised, 0 blocked" in text


def test_what_passed_with_every_principle_judged_needs_no_warning(run, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "{name: c, version: '1', principles: [{id: p, title: t, severity: high, rule: r,"
        " checks: [{pattern: secret, decides: true}]}]}",
        encoding="utf-8",
    )
    (tmp_path / "in.jsonl").write_text('{"reply": "Fine."}', encoding="utf-8")
    assert run("review", "-c", "c.yaml", "--jsonl", "in.jsonl").stdout == "1 passed, 0 revised, 0 blocked\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["review", "-c", "finanse", "x"], "Did you mean 'finance'?"),
        (["review", ""], "the reply is empty"),
        (["review", "--file", "gone.txt"], "No such file"),
        (["review", "--file", "a", "text"], "give the reply once"),
        (["review", "-m", "claude-haiku-4-5", "x"], "anthropic:claude-haiku-4-5"),
        (["show", "finance", "fin-no-guaranted-returns"], "Did you mean 'fin-no-guaranteed-returns'?"),
        (["audit", "show", "zz"], "no run"),
        (["audit", "verify", "--audit", "mysql://x"], "sqlite"),
    ],
)
def test_what_cannot_run_says_what_to_do_and_exits_2(run, arguments, message):
    """A mistake is one message without a traceback, exit 2; with --json it is one JSON document."""
    run("review", "--json", "Fine.")
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert message in json.loads(run(*arguments, "--json").stdout)["error"]


def test_a_blocked_reply_exits_1(run, tmp_path):
    """A blocked reply is a finding; what would be released instead is shown."""
    (tmp_path / "c.yaml").write_text(
        "{name: c, version: '1', principles: [{id: p, title: t, severity: high, rule: r, on_violation: block,"
        " checks: [{pattern: secret, decides: true}]}]}",
        encoding="utf-8",
    )
    done = run("review", "-c", "c.yaml", "A secret.")
    assert done.returncode == 1
    assert done.stdout.startswith("blocked (violation)")
    assert "released instead" in done.stdout


def test_hostile_text_is_made_visible_and_not_interpreted(run):
    """Control and bidirectional characters show as code points; markup stays text."""
    done = run("review", "-c", "finance", "[bold]Safe\x1b[2J\u202eevil[/bold] :smile:")
    assert "[bold]Safe<U+001B>[2J<U+202E>evil[/bold] :smile:" in done.stdout


@pytest.mark.parametrize("name", ["finance", "medical", "legal", "general"])
def test_show_prints_every_principle(run, name):
    """`show` lists what `--json` holds, in either language."""
    data = json.loads(run("show", name, "--json").stdout)
    text = run("show", name, "--language", "ja").stdout
    assert data["digest"] in text
    for principle in data["principles"]:
        assert principle["id"] in text
        assert principle["title"]["ja"] in text

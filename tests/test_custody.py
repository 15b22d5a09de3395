"""What people do with a trail: find runs, decide on them, hold them, erase them, sign where the trail ends."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trails import CONTENT, WORDING, a_run

from guardrails import AuditTrail, Status
from guardrails.audit import LEGAL_HOLD, Checkpoint, Run, StreamWindow, Where, make_key, public_key_file, uuid7
from guardrails.audit._acts import Act, Erased, ranges
from guardrails.errors import AuditError
from guardrails.exchange import Exchange
from guardrails.outcome import Attempt, Cause, ConstitutionRef, Outcome
from guardrails.verdict import Decision, Verdict

pytest_plugins = ["stores"]

WHY = {"by": "M. Sato", "reason": "GDPR article 17"}
SAID = "It cannot fall. It costs 0.2%."


@pytest.fixture
def trail(url):
    with AuditTrail.open(url) as trail:
        yield trail


def run(trail, *verdicts, status=Status.PASSED, cause=None, time=None, reply="All is well.", **options):
    """A recorded run of one draft; returns its id."""
    labels, redaction = options.pop("labels", {}), options.pop("redaction", "full")
    outcome = Outcome(
        status,
        reply,
        uuid7(),
        options.pop("wording", WORDING),
        reply,
        cause=cause,
        verdicts=verdicts,
        attempts=(Attempt(reply, verdicts),),
        **options,
    )
    told = Run(Exchange("Is it safe?", reply), outcome, labels=labels, redaction=redaction)
    trail.record(told if time is None else Run(told.exchange, outcome, labels=labels, time=time, redaction=redaction))
    return outcome.run_id


def windows(trail, *texts, **labels):
    """A stream that came to no outcome."""
    run_id = uuid7()
    for number, text in enumerate(texts, 1):
        exchange = Exchange("Is it safe?")
        attempts = (Attempt(text, first=number),)
        trail.record(StreamWindow(run_id, number, WORDING, exchange, text, attempts, labels), CONTENT)
    return run_id


def violates(principle, decision=Decision.VIOLATES):
    return Verdict(principle, decision, "rules", "So it does.", (1,))


def ids(runs):
    return [run.run_id for run in runs]


# Finding


def test_runs_are_found_by_what_they_were(trail):
    day = datetime(2026, 11, 1, tzinfo=UTC)
    passed = run(trail, time=day)
    broken = run(trail, violates("fees"), status=Status.BLOCKED, cause=Cause.VIOLATION, time=day + timedelta(1))
    fine = run(trail, Verdict("fees", Decision.COMPLIES, "rules"), time=day + timedelta(2), labels={"case": "42"})
    other = run(trail, wording=ConstitutionRef("clinic", "1", "ab" * 32), labels={"case": "7"}, time=day + timedelta(3))
    stream = windows(trail, "One. ", "Two.", case="42")
    for where, found in [
        (Where(), [stream, other, fine, broken, passed]),
        (Where(status=Status.BLOCKED), [stream, broken]),
        (Where(status=Status.PASSED), [other, fine, passed]),
        (Where(principle="fees"), [broken]),
        (Where(principle="fee"), []),
        (Where(since=day + timedelta(1), until=day + timedelta(2)), [broken]),
        (Where(since=day + timedelta(hours=15), until=day + timedelta(2, hours=15)), [fine, broken]),
        (Where(labels=(("case", ""),)), [stream, other, fine]),
        (Where(labels=(("case", "42"),)), [stream, fine]),
        (Where(labels=(("42", ""),)), []),
        (Where(constitution="clinic"), [other]),
        (Where(constitution="abab"), [other]),
        (Where(constitution=WORDING.digest), [stream, fine, broken, passed]),
        (Where(status=Status.PASSED, constitution="acme-bank", labels=(("case", "42"),)), [fine]),
    ]:
        assert ids(trail.runs(where=where)) == found, where
        assert ids(trail.runs(1, where)) == found[:1]


def test_a_label_is_found_whatever_is_kept_of_its_value(trail):
    mail = "jane@example.com"
    found = [run(trail, labels={"user": mail}, redaction=r) for r in ("full", "redacted", "commitments")]
    run(trail, labels={"user": "mary@example.com"}, redaction="commitments")
    run(trail, labels={"user": "Is it safe?"})
    assert ids(trail.runs(where=Where(labels=(("user", mail),)))) == found[::-1]
    assert len(list(trail.runs(where=Where(labels=(("user", "Is it safe?"),))))) == 1, "though it is a message, too"


def test_runs_are_found_by_how_grave_a_principle_was_then(trail):
    """The same id may have weighed less in an earlier wording."""
    import hashlib

    found = {}
    for severity in ("low", "critical"):
        content = json.dumps({"name": "b", "principles": [{"id": "fees", "severity": severity}], "version": severity})
        wording = ConstitutionRef("b", severity, hashlib.sha256(content.encode()).hexdigest())
        outcome = Outcome(Status.PASSED, "x", uuid7(), wording, "x", verdicts=(violates("fees"),))
        trail.record(Run(Exchange("Hi", "x"), outcome), content.encode())
        found[severity] = outcome.run_id
    run(trail, violates("unknown"))
    for severity, run_id in found.items():
        assert ids(trail.runs(where=Where(severity=severity))) == [run_id]
        assert trail.run(run_id).wording.severity("fees") == severity
    assert ids(trail.runs(where=Where(severity="high"))) == []


# Deciding


def test_blocked_and_undecided_runs_wait_until_somebody_decides(trail):
    undecided = violates("balance", Decision.UNDECIDED)
    run(trail)
    run(trail, violates("fees"))  # flagged, and released
    blocked = run(trail, violates("fees"), status=Status.BLOCKED, cause=Cause.VIOLATION)
    allowed = run(trail, undecided)
    left = windows(trail, "One. ")  # its reader left, and nothing was found
    assert ids(trail.queue()) == [allowed, blocked]
    assert ids(trail.queue(1)) == [allowed]
    number = trail.decide(blocked[:-3], agrees=False, by="M. Sato", note="It was a quotation.")
    assert ids(trail.queue()) == [allowed]
    (act,) = trail.run(blocked).decisions
    assert (act.seq, act.kind, act.by, act.reason, act.agrees, act.run) == (
        number,
        "decision",
        "M. Sato",
        "It was a quotation.",
        False,
        blocked,
    )
    trail.decide(blocked, agrees=True, by="K. Tanaka")
    assert [act.agrees for act in trail.run(blocked).decisions] == [False, True]
    assert trail.run(left).decisions == ()
    assert trail.verify().records == 7
    assert len(list(trail.runs())) == 5, "a decision is no run"


def test_who_did_it_and_why_has_to_be_said(trail):
    run_id = run(trail)
    for act in (
        lambda: trail.decide(run_id, agrees=True, by=" "),
        lambda: trail.erase(run_id, by="", reason="x"),
        lambda: trail.erase(run_id, by="x", reason=""),
        lambda: trail.hold("case", by="x", reason=""),
    ):
        with pytest.raises(AuditError, match="is empty: the trail keeps who did this, and why"):
            act()
    assert trail.verify().records == 1


# Erasing


def test_erasing_a_run_removes_what_was_said_and_keeps_the_chain(trail):
    kept, gone = a_run(SAID), a_run("Another reply. With two sentences.")
    trail.record(kept, CONTENT)
    trail.record(gone, CONTENT)
    trail.decide(gone.outcome.run_id, agrees=True, by="M. Sato", note="As it should.")
    before = [record.hash for record in trail.records()]
    trail.erase(gone.outcome.run_id, **WHY)
    assert [record.hash for record in trail.records()][:3] == before
    assert trail.verify().records == 4
    stored = trail.run(gone.outcome.run_id)
    assert not stored.has_texts
    assert (stored.erased.by, stored.erased.reason, stored.erased.erases) == ("M. Sato", "GDPR article 17", ((2, 3),))
    assert stored.run.outcome.original == stored.run.outcome.text == ""
    assert [v.decision for v in stored.run.outcome.attempts[0].verdicts] == ["violates", "undecided"]
    assert [text.path for record in trail.records() if record.seq in {2, 3} for text in record.texts] == []
    assert trail.run(kept.outcome.run_id).run == kept


def test_erasing_a_stream_removes_every_window(trail):
    stream = windows(trail, "One. ", "Two. ", "Three.")
    trail.erase(stream, **WHY)
    assert [len(record.texts) for record in trail.records()] == [0, 0, 0, 2]
    assert trail.verify()
    assert trail.run(stream).run.outcome.original == ""


def test_erasing_twice_makes_one_record(trail):
    run_id = run(trail)
    trail.erase(run_id, **WHY)
    trail.erase(run_id, **WHY)
    assert trail.verify().records == 2


def test_several_runs_are_erased_or_none(trail):
    one, held = run(trail), run(trail, labels={LEGAL_HOLD: "2026-17"})
    with pytest.raises(AuditError, match=f"run {held} is under a legal hold .its label legal_hold., and nothing was"):
        trail.erase(one, held, **WHY)
    assert trail.verify().records == 2
    assert trail.run(one).has_texts


@pytest.mark.parametrize("redaction", ["full", "redacted", "commitments"])
def test_a_hold_keeps_texts_until_it_is_lifted(trail, redaction):
    options = {"redaction": redaction}
    held = run(trail, labels={"user": "jane@example.com"}, **options)
    free = run(trail, labels={"user": "mary@example.com"}, **options)
    number = trail.hold("user", "jane@example.com", by="Legal", reason="Case 17")
    later = run(trail, labels={"user": "jane@example.com"}, **options)
    for run_id in (held, later):
        with pytest.raises(AuditError, match=rf"legal hold \(record {number}, by Legal: .*--lift {number}"):
            trail.erase(run_id, **WHY)
    pruned = trail.prune(datetime.now(UTC) + timedelta(1), by="cron", reason="retention")
    assert (pruned.erased, pruned.held) == (1, 2)
    assert [trail.run(run_id).erased is None for run_id in (held, free, later)] == [True, False, True]
    trail.lift(number, by="Legal", reason="Case 17 was closed")
    with pytest.raises(AuditError, match=f"record {number} is no legal hold in force"):
        trail.lift(number, by="Legal", reason="again")
    trail.erase(held, **WHY)
    assert trail.run(held).erased
    assert trail.verify()


def test_a_hold_of_a_stream_keeps_all_its_windows(trail):
    held, free = windows(trail, "One. ", "Two.", case="42"), windows(trail, "One. ", "Two.", case="43")
    trail.hold("case", "42", by="Legal", reason="Case 17")
    assert trail.prune(datetime.now(UTC) + timedelta(1), by="cron", reason="retention").held == 1
    assert [bool(record.texts) for record in trail.records()][:4] == [True, True, False, False]
    assert trail.run(held).has_texts
    assert not trail.run(free).has_texts


def test_pruning_goes_by_time_and_leaves_the_evidence_of_acts(trail):
    old = datetime(2026, 5, 1, tzinfo=UTC)
    aged = [run(trail, time=old + timedelta(days)) for days in range(5)]
    young = run(trail)
    trail.decide(young, agrees=True, by="M. Sato", note="Fine.")
    assert trail.prune(old + timedelta(3), by="cron", reason="retention").erased == 3
    assert [trail.run(run_id).has_texts for run_id in (*aged, young)] == [False] * 3 + [True] * 3
    act = list(trail.acts())[-1]
    assert (act.kind, act.run, act.erases, act.before) == ("erase", None, ((1, 3),), "2026-05-04T00:00:00.000000Z")
    assert trail.prune(datetime.now(UTC) + timedelta(1), by="cron", reason="retention").erased == 4
    assert [(act.by, act.reason) for act in trail.acts() if act.kind == "erase"] == [("cron", "retention")] * 2
    assert trail.prune(datetime.now(UTC) + timedelta(1), by="cron", reason="retention").erased == 0
    assert trail.verify().records == 9
    with pytest.raises(ValueError, match="needs a time zone"):
        trail.prune(datetime(2026, 5, 1), by="cron", reason="x")  # noqa: DTZ001 - the point


# What is kept of texts


def test_commitments_vouch_for_texts_that_are_not_there(trail):
    run_id = run(trail, violates("fees"), reply=SAID, redaction="commitments", labels={"case": "42"})
    (record,) = trail.records()
    assert {text.text for text in record.texts} == {None}
    told = json.loads(record.body)
    salts = {text.path: text.salt for text in record.texts}
    from guardrails.audit._store import commitment

    assert commitment(salts["original"], SAID.encode()) == told["texts"]["original"], "whoever has it can show so"
    stored = trail.run(run_id)
    assert (stored.has_texts, stored.erased, stored.run.redaction) == (False, None, "commitments")
    assert stored.run.outcome.original == ""
    assert trail.verify()
    trail.erase(run_id, **WHY)
    assert trail.verify()
    assert next(iter(trail.records())).texts == (), "the salts went, too"


def test_redacted_runs_keep_texts_without_personal_data(trail):
    mail, card = "jane.doe@example.com", "4111 1111 1111 1111"
    critique = Verdict("privacy", Decision.VIOLATES, "rules", f"It names {mail}.", (1,), None, f"{card} is a card.")
    run_id = run(trail, critique, reply=f"Write to {mail}. Your card {card} is blocked.", redaction="redacted")
    kept = b"".join(text.text for record in trail.records() for text in record.texts)
    assert mail.encode() not in kept
    assert card.encode() not in kept
    stored = trail.run(run_id)
    assert stored.run.outcome.original == "Write to j***@example.com. Your card **** **** **** 1111 is blocked."
    assert stored.run.outcome.verdicts[0].critique == "It names j***@example.com."
    assert trail.verify()


def test_no_mode_keeps_credentials(trail):
    key = "sk-ant-api03-" + "Zx9" * 30 + "AA"
    for redaction in ("full", "redacted"):
        run(trail, reply=f"Set ANTHROPIC_API_KEY={key} and go on.", redaction=redaction)
    assert key.encode() not in b"".join(text.text for record in trail.records() for text in record.texts)


# Anchoring


@pytest.fixture
def key(tmp_path):
    make_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


def kept_elsewhere(trail, key, folder):
    file = folder / "trail.checkpoint"
    file.write_text(trail.checkpoint(key).text)
    return file


def test_a_checkpoint_anchors_what_was_there(trail, key, tmp_path):
    run(trail)
    run(trail)
    file = kept_elsewhere(trail, key, tmp_path)
    run(trail)
    anchor = Checkpoint.read(file, public_key_file(key))
    assert (anchor.count, anchor.key) == (2, Checkpoint.read(file).key)
    verified = trail.verify(checkpoints=[anchor])
    assert str(verified) == "consistent, and anchored up to record 2: 3 records"
    trail.erase(*ids(trail.runs()), **WHY)
    assert trail.verify(checkpoints=[anchor]).anchored == 2, "erasing changes no hash"
    later = kept_elsewhere(trail, key, tmp_path)
    assert trail.verify(checkpoints=[Checkpoint.read(later), anchor]).anchored == 6


def test_another_trail_or_one_that_ends_too_soon_is_not_what_was_signed(trail, key, tmp_path):
    for _ in range(3):
        run(trail)
    anchor = Checkpoint.read(kept_elsewhere(trail, key, tmp_path))
    with AuditTrail.open(tmp_path / "other.db") as other:
        run(other)
        assert other.verify()
        short = other.verify(checkpoints=[anchor])
        assert (bool(short), short.seq) == (False, 2)
        assert str(short).startswith(f"record 2: it is missing, and {anchor} vouches for it: records were cut off")
        for _ in range(3):
            run(other)
        replaced = other.verify(checkpoints=[anchor])
        assert (bool(replaced), replaced.seq) == (False, 3)
        assert "is not the one that the checkpoint of" in replaced.problem


def test_what_does_not_verify_is_not_signed(tmp_path, key):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        run(trail)
        trail.close()
        damaged = (tmp_path / "audit.db").read_bytes().replace(b'"status":"passed"', b'"status":"Passed"')
        (tmp_path / "audit.db").write_bytes(damaged)
        with pytest.raises(AuditError, match=r"what does not verify is not signed\. record 1"):
            trail.checkpoint(key)


def test_an_empty_trail_is_not_signed(tmp_path, key):
    with AuditTrail.open(tmp_path / "audit.db") as trail, pytest.raises(AuditError):
        trail.checkpoint(key)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: told | {"count": 2}, "does not fit: it was altered"),
        (lambda told: told | {"head": "0" * 64}, "does not fit: it was altered"),
        (lambda told: told | {"time": "2026-01-01T00:00:00.000000Z"}, "does not fit: it was altered"),
        (lambda told: told | {"signature": told["signature"][::-1]}, "does not fit: it was altered"),
        (lambda told: told | {"key": "AAAA"}, "does not fit: it was altered"),
        (lambda told: told | {"count": 1.5}, "not as it was written"),
        (lambda told: told | {"checkpoint": True}, "not as it was written"),
        (lambda told: told | {"more": 1}, "not as it was written"),
        (lambda told: told | {"time": told["time"].replace("Z", "+09:00")}, "not as it was written"),
        (lambda told: told | {"count": float("inf")}, "is no checkpoint"),
        (lambda told: told | {"checkpoint": 2}, "later version"),
        (lambda told: told | {"time": "yesterday"}, "is no checkpoint"),
        (lambda told: {}, "is no checkpoint"),
        (lambda told: [1], "is no checkpoint"),
    ],
    ids=[
        "count",
        "head",
        "time",
        "signature",
        "key",
        "half",
        "true",
        "more",
        "zone",
        "infinite",
        "version",
        "no time",
        "empty",
        "a list",
    ],
)
def test_a_checkpoint_that_was_altered_says_so(change, says, tmp_path, key):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        run(trail)
        file = kept_elsewhere(trail, key, tmp_path)
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(AuditError, match=says):
        Checkpoint.read(file)


def test_a_checkpoint_by_another_key_is_not_trusted(tmp_path, key):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        run(trail)
        file = kept_elsewhere(trail, key, tmp_path)
        make_key(tmp_path / "other.pem")
        with pytest.raises(AuditError, match="signed by another key than that in"):
            Checkpoint.read(file, public_key_file(tmp_path / "other.pem"))
        for wrong in (Path("/nowhere/key.pem"), file, public_key_file(key)):
            with pytest.raises(AuditError, match=r"cannot be read|is no Ed25519 key in PEM"):
                trail.checkpoint(wrong)
    with pytest.raises(AuditError, match="cannot be written"):
        make_key(key)


# The arithmetic of what was erased


@given(st.sets(st.integers(1, 60)), st.integers(1, 60))
def test_numbers_and_their_ranges_say_the_same(numbers, seq):
    done = Act(1000, "erase", datetime.now(UTC), erases=ranges(sorted(numbers)))
    assert (seq in Erased([done])) == (seq in numbers)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10), st.integers(1, 60)), max_size=6))
def test_an_act_erases_only_what_was_there_before_it(said):
    acts = [Act(seq, "erase", datetime.now(UTC), erases=((first, first + more),)) for first, more, seq in said]
    expected = {n for first, more, seq in said if first + more < seq for n in range(first, first + more + 1)}
    assert {n for n in range(1, 80) if n in Erased(acts)} == expected
    assert "1" not in Erased(acts)


# What happens meanwhile


def test_what_comes_of_a_stream_after_it_was_erased_is_erased_too(trail):
    """Its reader may have read on while somebody erased it."""
    run_id, exchange = uuid7(), Exchange("Is it safe?")

    def window(number, text):
        return StreamWindow(run_id, number, WORDING, exchange, text, (Attempt(text, first=number),))

    trail.record(window(1, "It is. "))
    trail.erase(run_id, **WHY)
    trail.record(window(2, "A secret. "))
    outcome = Outcome(Status.PASSED, "It is. A secret.", run_id, WORDING, "It is. A secret.")
    trail.record(Run(Exchange("Is it safe?", outcome.original), outcome, streamed=True))
    said = b"".join(text.text for record in trail.records() for text in record.texts)
    assert b"secret" not in said
    assert trail.run(run_id).erased
    assert trail.verify()


def test_a_hold_that_comes_while_others_erase_is_heeded(trail):
    """Pruning a large trail takes its time, and a hold returns a number meanwhile: it holds from then on."""
    held, free = run(trail, labels={"case": "42"}), run(trail, labels={"case": "43"})
    eraser = trail._eraser("cron", "retention")
    trail.hold("case", "42", by="Legal", reason="Case 17")
    pruned = eraser.before(datetime.now(UTC) + timedelta(1), trail.records())
    assert (pruned.erased, trail.run(held).has_texts, trail.run(free).has_texts) == (1, True, False)
    other, eraser = run(trail, labels={"case": "44"}), trail._eraser("DPO", "Article 17")
    trail.hold("case", "44", by="Legal", reason="Case 18")
    with pytest.raises(AuditError, match=f"run {other} is under a legal hold .*, and was not erased"):
        eraser.runs([other])
    assert trail.run(other).has_texts


def test_what_a_killed_stream_was_found_to_break_is_found_in_every_window(trail):
    run_id = uuid7()
    for number, verdicts in enumerate([(), (violates("fees"),), ()], 1):
        attempts = (Attempt("Text. ", verdicts, first=number),)
        window = StreamWindow(run_id, number, WORDING, Exchange("Is it safe?"), "Text. ", attempts, {"case": "42"})
        trail.record(window)
    (found,) = trail.runs(where=Where(principle="fees", labels=(("case", "42"),)))
    assert (found.at_fault, found.labels, found.seq) == (("fees",), ("case",), trail.run(run_id).seq)
    assert ids(trail.queue()) == [run_id]
    assert ids(trail.runs(where=Where(principle="other"))) == []


def test_a_held_run_keeps_what_a_slow_clock_says_of_it(trail):
    held = run(trail, labels={LEGAL_HOLD: "17"}, time=datetime.now(UTC) + timedelta(hours=1))
    trail.decide(held, agrees=True, by="M. Sato", note="As it should.")
    assert trail.prune(datetime.now(UTC) + timedelta(minutes=1), by="cron", reason="retention").erased == 0
    assert trail.run(held).decisions[0].reason == "As it should."


def test_all_runs_of_a_label_are_erased_but_those_that_are_held_or_cannot_be_told(trail):
    mine = [run(trail, labels={"user": "u7"}) for _ in range(2)]
    held = run(trail, labels={"user": "u7", LEGAL_HOLD: "x"})
    other = run(trail, labels={"user": "u8"})
    erased = trail.erase_where(Where(labels=(("user", "u7"),)), **WHY)
    assert (erased.erased, erased.held) == (2, 1)
    assert [trail.run(run_id).has_texts for run_id in (*mine, held, other)] == [False, False, True, True]
    run(trail, labels={"user": "jane@example.com"}, redaction="redacted")
    with pytest.raises(AuditError, match="the label's value was masked, and another one may look the same"):
        trail.erase_where(Where(labels=(("user", "john@example.com"),)), **WHY)
    assert trail.verify()


def test_times_without_a_zone_and_names_without_letters_are_refused(trail):
    with pytest.raises(ValueError, match="need a time zone"):
        Where(since=datetime(2026, 11, 1))  # noqa: DTZ001 - the point
    with pytest.raises(AuditError, match="label is empty"):
        trail.hold("", "42", **WHY)
    with pytest.raises(ValueError, match="redaction='none' is not one of full, redacted, commitments"):
        run(trail, redaction="none")

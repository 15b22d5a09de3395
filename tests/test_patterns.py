"""Patterns: what they see, where it stands in the text, and what excuses a match."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import hostile_text

from guardrails.patterns import MAX_PATTERN, PatternError, PatternSet, Unless, compiled, spans
from guardrails.views import view

WORDS = ("guaranteed", "returns", "risk", "必ず", "利益", "5%", "fund")
NEGATIONS = Unless(frozenset({"no", "not", "never"}))
words = st.lists(st.sampled_from([*WORDS, "not", ",", "\n", "は", "\ud800", "ﾊﾞ"]), max_size=30)


def normal(text):
    """What a text is to patterns, without its place: an independent reading of the module's promise."""
    text = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    visible = re.sub(r"[*`~_]+", "", visible)
    return unicodedata.normalize(
        "NFKC", visible.translate({ord("’"): "'", ord("‘"): "'", ord("“"): '"', ord("”"): '"', ord("‐"): "-"})
    )


def found(text, pattern="guaranteed returns", **unless):
    shown = view(text)
    return [text[slice(*shown.original(*match.span()))] for match in spans(pattern, shown.text, Unless(**unless))]


@given(hostile_text, st.data())
@example("ﾊﾟﾝﾌﾚｯﾄ", None)
@example("a\u200b\u200bb", None)
@example("㎎ and ﬁ", None)
def test_a_span_of_the_view_leads_back(text, data):
    """The original span of any span of a view reads, normalised, as the view does, and lies in the text."""
    shown = view(text)
    ends = [0, len(shown.text)]
    if data is not None:
        ends = sorted((data.draw(st.integers(0, len(shown.text))), data.draw(st.integers(0, len(shown.text)))))
    start, end = shown.original(*ends)
    assert 0 <= start <= end <= len(text)
    seen = unicodedata.normalize("NFKC", shown.text[slice(*ends)]).split()
    assert re.sub(r"[*`~_]+", "", "".join(seen)) in "".join(normal(text[start:end]).split())


@given(hostile_text)
def test_spans_lead_back_in_order(text):
    """The characters of a view stand in the text in the same order, each in at most a few characters of it."""
    shown = view(text)
    places = [shown.original(index, index + 1) for index in range(len(shown.text))]
    assert places == sorted(places)
    assert all(start < end for start, end in places)


@given(hostile_text)
@example("か\u200b\u3099")
@example("ﾊ\u200bﾞ")
def test_a_view_shows_all_there_is(text):
    """A view is its own view: nothing is left to normalise, fold, drop or strip."""
    assert view(view(text).text).text == view(text).text


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("ｇｕａｒａｎｔｅｅｄ returns", "guaranteed"),
        ("GUARANTEED returns", "guaranteed"),
        ("guar\u200banteed", "guaranteed"),
        ("guar\u00adanteed", "guaranteed"),
        ("\u202eguaranteed", "guaranteed"),
        ("guaran\nteed", "guaran teed"),
        ("It can’t fall", "can't fall"),
        ("“safe”", '"safe"'),
        ("５％", "5%"),
        ("ﾊﾟﾝﾌﾚｯﾄ", "パンフレット"),
        ("か\u3099", "が"),
        ("ﾊ\u200bﾞ", "バ"),
        ("risk‐free", "risk-free"),
        ("株価は上がります。\n", "ます$"),
        ("  * guaranteed", "^guaranteed$"),
        ("guaran**teed**", "guaranteed"),
        ("a  _sure_  thing", "a sure thing"),
        ("**guaranteed**", "guaranteed$"),
        ("half \ud800 guaranteed", "guaranteed"),
    ],
)
def test_disguises_do_not_help(text, pattern):
    """Full-width, half-width, decomposed, invisible and typographic forms match as what they say."""
    assert PatternSet([pattern]).match(view(text).text) == [0]
    assert len(found(text, pattern)) == 1


@given(st.lists(st.sampled_from([*WORDS, "ret.{0,5}s", r"\d%", "^risk", "利益$"]), max_size=130), words)
def test_a_set_finds_what_its_patterns_find(patterns, text):
    """A set of any size finds the indexes of exactly those patterns that match alone."""
    shown = view(" ".join(text)).text
    alone = [index for index, pattern in enumerate(patterns) if any(spans(pattern, shown))]
    indexes = PatternSet(patterns).match(shown)
    assert indexes is not None
    assert sorted(indexes) == alone


@given(words, st.sampled_from([*WORDS, "returns? fund", "r[a-z]+"]))
def test_matches_are_those_of_the_expression(text, pattern):
    """Without an excuse, the matches are those of the expression, from left to right."""
    shown = view(" ".join(text)).text
    expected = [match.span() for match in re.finditer(pattern, shown, re.IGNORECASE)]
    assert [match.span() for match in spans(pattern, shown)] == expected


@given(words, st.booleans(), st.sampled_from([(), (r"\?$",), ("fund",)]))
def test_an_excuse_only_takes_away(text, quoted, sentence):
    """What excuses matches never makes one where the expression has none, and no excuse excuses nothing."""
    shown = view(" ".join(text)).text
    plain = {match.start() for match in spans("guaranteed", shown)}
    excused = {
        match.start()
        for match in spans("guaranteed", shown, Unless(frozenset({"not"}), sentence=sentence, quoted=quoted))
    }
    assert excused <= plain
    assert {match.start() for match in spans("guaranteed", shown, Unless())} == plain


@pytest.mark.parametrize(
    "text",
    [
        "There are no guaranteed returns.",
        "It does not offer guaranteed returns.",
        "We never promise you guaranteed returns.",
        "It isn't about guaranteed returns.",
        "It isn’t about guaranteed returns.",
        "You cannot count on guaranteed returns.",
        "NO guaranteed returns.",
        "All agree: no guaranteed returns.",
        "ｎｏ ｇｕａｒａｎｔｅｅｄ ｒｅｔｕｒｎｓ",
    ],
)
def test_a_negation_just_before_excuses(text):
    """A negation among the three words before a match excuses it; `not` stands for n't."""
    assert found(text, before=NEGATIONS.before) == []


@pytest.mark.parametrize(
    "text",
    [
        "Guaranteed returns.",
        "Do not miss these truly wonderful guaranteed returns.",
        "Not risky, guaranteed returns.",
        "No risk; guaranteed returns.",
        "Never fear: guaranteed returns.",
        "Why not? Guaranteed returns.",
        "No! Guaranteed returns.",
        "It is not only guaranteed returns.",
        "It is not just guaranteed returns.",
        "There is no doubt about guaranteed returns.",
        "No matter what, guaranteed returns.",
        "A notable guaranteed returns.",
        "Guaranteed returns, not losses.",
    ],
)
def test_a_negation_elsewhere_does_not(text):
    """A negation far away, in another clause, behind the match, or one that denies nothing, excuses nothing."""
    assert len(found(text, before=NEGATIONS.before)) == 1


@given(st.lists(st.sampled_from(["really", "all", "these", "big", "Acme's", "well-known"]), max_size=8))
def test_how_far_a_negation_reaches(fillers):
    """A negation excuses a match with up to two words between them, and none beyond."""
    text = " ".join(["We do not offer", *fillers, "guaranteed returns"])
    assert bool(found(text, before=NEGATIONS.before)) == (len(fillers) > 1)


@pytest.mark.parametrize(
    ("text", "excused"),
    [
        ('Ads that say "guaranteed returns" are misleading.', True),
        ("Ads that say “guaranteed returns” are misleading.", True),
        ("Ads that say 'guaranteed returns' are misleading.", True),
        ("「guaranteed returns」という広告に注意。", True),
        ("『guaranteed returns』という広告に注意。", True),
        ('"guaranteed returns"', False),
        ('"We offer guaranteed returns."', False),
        ("「guaranteed returns」。", False),
        ('A "guaranteed" fund has guaranteed returns.', False),
        ('It is "guaranteed returns', False),
        ("It's guaranteed returns, that's it.", False),
    ],
)
def test_a_quotation_excuses(text, excused):
    """A match inside quotation marks is a mention, unless the quotation is the whole sentence."""
    assert (found(text, quoted=True) == []) == excused


def test_the_shape_of_the_sentence_excuses():
    """A pattern over the whole sentence excuses its matches: a question, a Japanese negation at the end."""
    assert found("Are guaranteed returns real?", sentence=(r"\?$",)) == []
    assert found("必ず儲かるとは限りません。", "必ず儲か", sentence=("とは限りません$",)) == []
    assert found("必ず儲かります。", "必ず儲か", sentence=("とは限りません$",)) == ["必ず儲か"]


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("No guaranteed gains, but guaranteed returns.", "guaranteed returns"),
        ("Never guaranteed. Guaranteed returns!", "Guaranteed returns"),
    ],
)
def test_an_excused_match_hides_no_other(text, hit):
    """The match that begins inside an excused one is found."""
    assert found(text, "guaranteed.{0,40}returns", before=NEGATIONS.before, quoted=True) == [hit]


@pytest.mark.parametrize("pattern", ["(?=safe)", "(?!safe)x", "(?<=no )risk", "(?<!no )risk", "^(?!.*risk).*safe"])
def test_a_lookaround_gives_advice(pattern):
    """RE2 has no lookaround; the message says so, and what to write."""
    with pytest.raises(PatternError, match=r"lookaround \(.*RE2 does not have\. .* under `unless:`"):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["", "a*", "(risk)?", "|safe", "^", "$", r"\b"])
def test_a_pattern_that_matches_nothing_at_all(pattern):
    """A pattern that matches the empty string matches every sentence, and is refused."""
    with pytest.raises(PatternError, match=r"matches the empty string.*mandatory"):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "[z-a]", r"\1", "*a", "a{1001}", r"\p{Nope}", "(a{1000}){1000}"])
def test_what_is_not_re2(pattern):
    """A pattern that RE2 does not take is refused, with RE2's reason and where to read more."""
    with pytest.raises(PatternError, match=r"(?s)not RE2: .+ See https"):
        compiled(pattern)


def test_a_pattern_has_a_length():
    """A pattern of more than 2,000 characters is refused, and one of 2,000 is not."""
    assert compiled("a" * MAX_PATTERN)
    with pytest.raises(PatternError, match=r"2,001 characters; 2,000 at most\. Cut it"):
        compiled("a" * (MAX_PATTERN + 1))


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("Scams often promise guaranteed returns.", 0),
        ("Some promise the moon, and our fund has guaranteed returns.", 1),
        ("Others promise little but we have guaranteed returns.", 1),
        ("Beware (they promise a lot): guaranteed returns.", 1),
        ("They promise 1,200.50 dollars of guaranteed returns.", 0),
    ],
)
def test_a_clause_excuses_what_stands_in_it(sentence, count):
    """What excuses in a clause excuses nothing beyond its comma, colon, bracket or "but"; figures cut nothing."""
    shown = view(sentence).text
    assert len(list(spans("guaranteed returns", shown, Unless(clause=("promise",))))) == count


def test_the_patterns_found_come_in_their_order():
    """RE2 gives a set's matches in an order of its own, and where two fixes compete the first one's wins."""
    patterns = ["がん", "必ず", "治", "が必ず", "ば.*が", "治り", "飲めば", "がんが", "ます"]
    assert PatternSet(patterns).match("飲めばがんが必ず治ります") == list(range(9))

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.facts import KINDS, extract, missing

SAME = {
    "amounts": [
        "$1.2 billion|$1,200 million|1,200 million dollars|US$1.2bn|USD 1,200,000,000|12億ドル|12億米ドル|１２億ドル",
        "12億円|1,200百万円|1200000000円|¥1.2 billion|十二億円|12億 円|JPY 1,200m|120,000万円",
        "三百万円|300万円|3,000,000円|3 million yen|three million yen",
        "£5k|£5,000|5,000 pounds|五千ポンド|five thousand pounds",
        "50 cents|$0.50|$.5",
        "-$5|−$5|$-5|minus 5 dollars|▲5ドル",
        "half a million euros|€500,000|50万ユーロ",
    ],
    "percentages": [
        "5%|5 percent|５％|5.0 per cent|5パーセント|five percent|500 basis points|500bp",
        "30%|3割|三割",
        "-5%|▲5%|△5％|−5%|マイナス5%|minus five percent",
        "2 percentage points|2 pp|2％ポイント|2パーセントポイント",
    ],
    "dates": [
        "2024年3月1日|March 1, 2024|2024-03-01|令和6年3月1日|1 March 2024|1st of March 2024|Mar. 1, 2024|2024/3/1",
        "3/1/2024|二〇二四年三月一日|２０２４年３月１日|2024.3.1",
        "March 2024|2024年3月|Mar 2024|令和6年3月",
        "2019|2019年|令和元年|平成31年",
        "FY2018|2018年度|fiscal 2018|FY18|平成30年度",
    ],
    "durations": [
        "3 months|three months|3か月|3ヶ月間|３カ月|三か月|3-month",
        "10 years|10年間|十年|ten-year",
        "half an hour|0.5 hours|0.5時間",
    ],
    "doses": [
        "5 mcg|5µg|5 μg|5 micrograms|0.005 mg|5マイクログラム",
        "500 mg|0.5 g|500㎎|500ミリグラム|five hundred milligrams",
        "2 tablets|two tablets|2錠|二錠",
        "5 mg/kg/day|5mg per kg per day|5 mg/kg/日",
    ],
    "citations": [
        "978 A. 2d 781|978 A.2d 781",
        "2019 U.S. Dist. LEXIS 19806, at *3|2019 U.S. Dist. LEXIS 19806, *3",
        "金融商品取引法第5条第1項|金融商品取引法第五条第一項|金融商品取引法第５条第１項",
        "第28条の2|第二十八条の二",
        "15 U.S.C. § 78j(b)|15 USC 78j(b)|15 U.S.C. 78j(b)",
        "17 CFR 275.206(4)-1|17 C.F.R. § 275.206(4)-1",
        "Johnson v. Progressive Ins. Co.|See Johnson v. Progressive Insurance Company",
        "doi:10.1000/xyz.123|https://doi.org/10.1000/XYZ.123",
        "Smith et al., 2021|Smith et al. (2021)",
        "FINRA Rule 2210(d)(1)(B)",
        "SEC Rule 206(4)-1",
        "[2025] EWHC 1383 (Admin)",
        "PMID: 12345678|PMID 12345678",
        "Article 17(1)|Art. 17(1)",
    ],
    "urls": ["https://example.com/a?b=1|http://www.example.com/a?b=1|(https://example.com/a?b=1)."],
    "emails": ["a.b@example.com|A.B@Example.com"],
    "numbers": ["1,200|1200|１２００|1.2 thousand|1.2k|1,200人|千二百人", "3分の1|三分の一", "120/80"],
}
ALIKE = [(kind, group.split("|")) for kind, groups in SAME.items() for group in groups]
DIFFERENT = ["5%", "-5%", "5 percentage points", "$5", "5円", "£5", "5 mg", "5 g", "5 mL", "5 mg/kg", "5 days", "5か月"]
DIFFERENT += ["5年間", "5錠", "5", "5.1%", "2005年", "FY2005", "第5条", "民法第5条", "Article 5", "5 hours"]
TEXTS = st.one_of(
    st.text(),
    st.text(st.characters(codec=None, categories=None)),
    st.text("0123456789,.%$-〜~ 年月日円億万第条項一二十ABv.\n１％㎎㍻½①\ud800"),
    st.lists(
        st.sampled_from([text for _, texts in ALIKE for text in texts] + [" to ", "-", " and ", "〜", " ", "の"])
    ).map("".join),
)


@pytest.mark.parametrize(("kind", "texts"), ALIKE, ids=lambda value: value if isinstance(value, str) else value[0])
def test_one_fact_in_many_notations_has_one_key(kind, texts):
    """Notations of one fact, each alone in its text, are one fact of that kind."""
    found = {text: [(fact.kind, fact.key) for fact in extract(text)] for text in texts}
    first = found[texts[0]]
    assert len(first) == 1
    assert first[0][0] == kind
    assert found == dict.fromkeys(texts, first)


@pytest.mark.parametrize("text", DIFFERENT)
def test_a_fact_with_another_unit_is_another_fact(text):
    """The same figure with another unit, sign or place states nothing of a fact that has its own."""
    others = [other for other in DIFFERENT if other != text]
    facts = missing(text, others)
    assert [fact.text for fact in facts] == ([] if text in {"5", "2005年", "第5条"} else [text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5-7%", ["5", "7%"]),
        ("5〜7％", ["5", "7％"]),
        ("$5-7 million", ["$5", "7 million"]),
        ("between 5 and 7 percent", ["5", "7 percent"]),
        ("2 or 3 tablets", ["2", "3 tablets"]),
        ("5% to 7%", ["5%", "7%"]),
        ("Take 5 mg twice for 3 days", ["5 mg", "3 days"]),
        ("利回りは年５．５％です", ["５．５％"]),
        ("Johnson v. Progressive Ins. Co., 978 A. 2d 781", ["Johnson v. Progressive Ins. Co.", "978 A. 2d 781"]),
        ("In Roe v. Wade, 410 U.S. 113 (1973)", ["Roe v. Wade", "410 U.S. 113", "1973"]),
    ],
)
def test_facts_stand_where_they_are_written(text, expected):
    """Both ends of a range are facts with its unit, and every fact is cut to what states it."""
    facts = extract(text)
    assert [fact.text for fact in facts] == expected
    if len(expected) == 2 and facts[0].kind == facts[1].kind != "citations":
        assert facts[0].key[1:] == facts[1].key[1:]


@pytest.mark.parametrize(
    "text",
    [
        "1. First\n2) Second\n  (3) Third",
        "１．はじめに",
        "the 1st and 22nd",
        "第3四半期",
        "COVID-19 and vitamin B12",
        "数百万円",
        "十分な説明を一般に",
        "three reasons, one of them",
        "May I ask?",
    ],
)
def test_counting_and_prose_state_no_facts(text):
    """List markers, ordinals, names and numbers in prose are no facts."""
    assert extract(text) == ()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("in 2024", "on 1 March 2024"),
        ("on 1 March", "2024年3月1日"),
        ("第5条", "第5条第1項"),
        ("民法第5条", "民法第5条第1項第2号"),
        ("15 U.S.C. § 78j", "15 U.S.C. § 78j(b)"),
        ("Rule 2210", "FINRA Rule 2210(d)"),
        ("12", "$12"),
        ("2018", "FY2018"),
    ],
)
def test_a_source_states_what_its_facts_include(text, source):
    """The coarser fact is stated by the finer one, and never the other way round."""
    assert missing(text, [source]) == ()
    assert missing(source, ["nothing"]) != ()


def test_a_number_in_words_states_it_in_digits():
    """Words without a unit are held to no source, and are a source themselves."""
    assert missing("2 points", ["two points"]) == ()
    assert missing("two points", ["none"]) == ()


@pytest.mark.parametrize(
    ("text", "source"),
    [("$5", "5"), ("FINRA Rule 2210", "Rule 2210"), ("民法第5条", "第5条"), ("1 May 2024", "May 2024")],
)
def test_a_source_states_no_more_than_it_says(text, source):
    """A unit, an issuer, a law or a day that a source leaves out is missing."""
    assert [fact.text for fact in missing(text, [source])] == [text]


def test_headings_of_a_statute_state_its_articles():
    """A statute that names its law in one line and its articles in others states both together."""
    source = "## 金融商品取引法\n### 第５条\n#### 第１項\n次に掲げるもの\n十四 受益証券\n### 第28条の2\n本文"
    stated = ["金融商品取引法第5条第1項第14号", "金商法第五条", "金融商品取引法第28条の2", "同法第5条"]
    assert [missing(text, [source]) for text in stated] == [()] * 4
    assert len(missing("金融商品取引法第6条と第28条第1項、民法第5条", [source])) == 3


def test_a_year_beside_a_quantity_stays_a_year():
    """A year joined to a quantity by "and" does not take its unit."""
    assert [fact.kind for fact in extract("in 2020 and 7 percent")] == ["dates", "percentages"]


def test_kinds_choose_which_facts_count():
    """Only the kinds asked for are given, a number within another fact is none, and unknown kinds are refused."""
    assert [fact.text for fact in extract("5 mg, 5%, 5", ["numbers"])] == ["5"]
    with pytest.raises(ValueError, match="prices"):
        extract("", ["prices"])


@settings(deadline=None)
@given(st.integers(1, 10**9), st.sampled_from([("円", "¥"), ("ドル", "$"), ("ユーロ", "€")]))
def test_amounts_are_equal_in_every_notation(value, unit):
    """A whole amount has one key, with and without grouping, in units of 万, and of thousands."""
    after, before = unit
    man, rest = divmod(value, 10_000)
    texts = [
        f"{value}{after}",
        f"{value:,} {after}",
        f"{before}{value:,}",
        f"{before}{value}.00",
        f"{before}{value * 1000}",
    ]
    texts[-1] = f"{before}{value / 1000:.3f}k" if value < 10**8 else texts[0]
    texts += [f"{man}万{rest or ''}{after}"] * bool(man)
    assert len({extract(text)[0].key for text in texts}) == 1
    assert all(len(extract(text)) == 1 for text in texts)


@settings(deadline=None, max_examples=500)
@given(TEXTS)
def test_any_text_is_read(text):
    """Places slice back to the text of each fact, in order and without overlap, whatever the text."""
    end = 0
    for fact in extract(text):
        assert fact.kind in KINDS
        assert end <= fact.start < fact.end
        assert fact.text == text[fact.start : fact.end]
        assert fact.key
        end = fact.end


@settings(deadline=None)
@given(TEXTS)
def test_a_text_states_its_own_facts(text):
    """Nothing that a text states is missing from the same text."""
    assert missing(text, [text]) == ()


PIECES = [
    "1",
    "1 ",
    "1,",
    "1/",
    "-1",
    "a",
    "A.1.",
    "日本",
    "一",
    "5年",
    "第5条",
    "の法律",
    "John v. ",
    "https://.",
    "@a",
]


@pytest.mark.parametrize("piece", [*PIECES, "twenty ", "1億", "ｶﾞ１", "\ud800", "1000 F. "])
def test_hostile_texts_come_to_an_end(piece):
    """Any piece repeated 20,000 times is read through: a quadratic pattern would keep this test from ending."""
    found = extract(piece * 20_000)
    assert len(found) <= len(piece) * 20_000
    assert [fact.start for fact in found] == sorted(fact.start for fact in found)

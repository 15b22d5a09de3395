"""Lint's rules about wording: what no reply can show, what is vague, what repeats and what contradicts."""

import json
import re

import pytest
from lint_cases import SAFE, codes, files_of, linted, said

UNSEEN = [
    "Be helpful.",
    "Always be honest.",
    "The assistant should be polite and helpful.",
    "Understand the customer's situation before you answer.",
    "Try to explain fees.",
    "The reply should aim to reassure the user.",
    "When a user is upset, be empathetic.",
    "Care about the user's health.",
    "You should always keep the user's interests in mind.",
    "Take great care with numbers.",
    "Act professionally.",
    "利用者の立場に立って回答するよう心がける。",
    "正確な情報を提供するよう努めなければならない。",
    "利用者の感情に配慮すること。",
    "誠実に対応する。",
    "利用者の不安に寄り添う。",
    "プライバシーに配慮した回答を心掛けてください。",
]
SEEN = [
    "Never state a dose.",
    "The reply names the office that decides.",
    "Do not try to talk a user out of vaccination.",
    "Never claim to understand how the user feels.",
    "Know-your-customer documents are never requested by chat.",
    "Figures must be accurate to one decimal.",
    "Do not say that you care about the user.",
    "Warn before users paste confidential facts.",
    "商品の利点を述べる回答は、重要なリスクについても説明する。",
    "利用者には、事前に注意を促す。",
    "利用者の不安を意識させてはならない。",
    "配慮を欠く表現を用いない。",
    "利用者が理解できるように、用語を説明する。",
]
VAGUE_WORDS = [
    "Give appropriate warnings.",
    "Answer as soon as possible.",
    "Name the fees, deadlines, etc.",
    "Give good advice.",
    "適切に回答する。",
    "必要に応じて説明する。",
    "手数料などを示し、期日は伏せること等。",
    "十分な説明をする。",
]
PRECISE = [
    "Never state that guilt is proven beyond reasonable doubt.",
    "Say that a payment failed for insufficient funds.",
    "State the fee as required by section 4.",
    'Never say that a user is an "appropriate adviser".',
    "Name property taxes, goods and services.",
    "男女平等に反する表現を用いない。",
    "判例等を引用する。",
    "「適切に処理しました」と述べてはならない。",
]


def of_rule(text):
    return codes(linted({"rule": {"en" if text.isascii() else "ja": text}}))


@pytest.mark.parametrize("text", UNSEEN)
def test_states_of_mind_efforts_and_character_cannot_be_observed(text):
    assert "WD01" in of_rule(text)


@pytest.mark.parametrize("text", SEEN)
def test_what_a_reply_says_or_may_not_can_be_observed(text):
    assert "WD01" not in of_rule(text)


@pytest.mark.parametrize("text", VAGUE_WORDS)
def test_vague_words_are_found_in_both_languages(text):
    assert "WD02" in of_rule(text)


@pytest.mark.parametrize("text", PRECISE)
def test_terms_and_quotations_are_not_vague(text):
    assert "WD02" not in of_rule(text)


@pytest.mark.parametrize(
    ("forbids", "asks"),
    [
        ("Never state the balance.", "Always state the balance."),
        ("The reply must not state the balance.", "The reply states the balance."),
        ("Replies may not name a doctor.", "Replies may name a doctor."),
        ("Do not cite cases. Be brief about it.", "Give the date. Cite cases."),
        ("It is forbidden to cite cases.", "It is required to cite cases."),
        ("The assistant doesn't promise refunds.", "The assistant must promise refunds."),
        ("You can’t promise refunds.", "You can promise refunds."),
        ("返金を約束してはならない。", "返金を約束しなければならない。"),
        ("利息を示さない。", "利息を示す。"),
        ("利息を告げてはいけません。", "利息を告げること。"),
        ("残高を表示するべきではない。", "残高を表示してください。"),
    ],
)
def test_a_rule_and_its_negation_contradict_each_other(forbids, asks):
    language = "en" if re.match("[A-Z]", forbids) else "ja"
    one, two = {"rule": {language: forbids}}, {"rule": {language: asks}}
    assert said(linted(one, two), "WD04") == ["p-1 asks for what p-0 forbids."]
    assert said(linted(two, one), "WD04") == ["p-1 forbids what p-0 asks for."]
    assert "WD04" not in codes(linted(one, {"rule": {language: forbids.replace("Never", "Do not")}}))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Never state the fee.", "State the limit."),
        ("Do not reply in English.", "Reply in Japanese."),
        ("保険をすすめてはならない。", "保険をやめなければならない。"),
        ("Never.", "Always."),
    ],
)
def test_rules_about_different_acts_do_not_contradict_each_other(one, two):
    language = "en" if one.isascii() else "ja"
    assert "WD04" not in codes(linted({"rule": {language: one}}, {"rule": {language: two}}))


def test_principles_with_the_same_patterns_repeat_each_other_though_their_rules_differ():
    twice = linted({"checks": [SAFE]}, {"rule": "Never say so.", "checks": [SAFE]})
    assert said(twice, "WD03") == ["p-1 has the same patterns as p-0."]
    text = json.dumps(files_of({"checks": [SAFE]}, {"rule": "Never say so.", "checks": [SAFE]})["test.yaml"])
    (finding,) = (finding for finding in twice if finding.code == "WD03")
    assert text[finding.problem.column - 1 :].startswith('"checks"'), "it stands at all of them"
    assert len(said(linted({"checks": [SAFE]}, {"checks": [SAFE]}), "WD03")) == 1, "once for each pair"

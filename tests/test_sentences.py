"""Sentences: nothing is lost, and edits touch only what they name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import hostile_text

from guardrails.sentences import Edit, EditError, apply, body, changes, split

PLAIN = (
    "The fund fell by 5% in 2024. ",
    "It costs 0.2% a year. ",
    "価格は変動します。",
    "元本は保証されません。",
    "Why? ",
)
MIXED = "The fund rose 5% in 2024. この投資信託は年5%の利益が出ました。手数料は年0.2%です。"


@st.composite
def edited_texts(draw):
    """A text, and edits of some of its sentences."""
    text = draw(hostile_text)
    numbers = range(1, len(split(text)) + 1)
    chosen = draw(st.sets(st.sampled_from(numbers))) if numbers else ()
    return text, [Edit(number, draw(hostile_text)) for number in chosen]


@given(hostile_text)
@example("a\r\nb\r\n\r\nc. D\rE")
@example("```\nnever closed. Still code.\n")
@example("| a | b |\n|---|---|\n| 1. | 2. |")
@example("「大丈夫です。」と彼は言った。\u3000次です。")
@example("\ud83d\udc00\udc00 half. \ud83d")
def test_joining_gives_the_text_back(text):
    """Splitting is lossless for every string."""
    assert "".join(split(text)) == text


@given(hostile_text.filter(bool), st.integers(1, 400))
def test_long_texts_are_lossless_too(text, times):
    """Splitting is lossless beyond the pieces that a paragraph is fed in."""
    assert "".join(split(text * times)) == text * times


@given(hostile_text)
def test_no_sentence_is_white_space(text):
    """No sentence is white space alone, unless the text is; an empty text has no sentence."""
    sentences = split(text)
    assert all(sentence.strip() for sentence in sentences) if text.strip() else len(sentences) == bool(text)


@given(st.lists(st.sampled_from(PLAIN), max_size=300))
def test_a_boundary_does_not_depend_on_the_pieces(sentences):
    """A long paragraph has the sentences it is made of, wherever the pieces it is fed in are cut."""
    text = "".join(sentences)
    assert [s.strip() for s in split(text)] == [s.strip() for s in sentences]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n", [" \n"]),
        (
            "Dr. Lee paid 3.5% to Acme Inc. on 1 May. It fell.",
            ["Dr. Lee paid 3.5% to Acme Inc. on 1 May. ", "It fell."],
        ),
        ("価格は変動します。損失もあります！", ["価格は変動します。", "損失もあります！"]),
        ("「必ず儲かります。」と言った。違います。", ["「必ず儲かります。」と言った。", "違います。"]),
        ("- It is safe.\n- It is cheap.\n", ["- It is safe.\n", "- It is cheap.\n"]),
        ("# Fees\nThey are low.", ["# Fees\n", "They are low."]),
        ("| a | b. c |\n| d | e |\n", ["| a | b. c |\n", "| d | e |\n"]),
        ("So:\n```\nx. Y.\n\nZ.\n```\nDone.", ["So:\n", "```\nx. Y.\n\nZ.\n```\n", "Done."]),
        ("````\n```\nA. B.\n````\nC.", ["````\n```\nA. B.\n````\n", "C."]),
        ("\n\nIt fell.", ["\n\nIt fell."]),
        ("・安全です。\n・安いです。", ["・安全です。\n", "・安いです。"]),
    ],
)
def test_what_a_sentence_is(text, sentences):
    """English, Japanese and Markdown are split where a reader would."""
    assert list(split(text)) == sentences


def test_a_megabyte_in_one_paragraph():
    """A paragraph of 1 MB, English and Japanese mixed, is split as its first lines are."""
    times = 1_000_000 // len(MIXED)
    assert split(MIXED * times) == split(MIXED) * times


@pytest.mark.parametrize(
    "unit", ["「あ。」と", "』。」で", "あ、", "a ", "word. ", "1. ", "> ", "- a\n", "a\n", "\n", " \n", "。", "\ud800"]
)
def test_hostile_shapes_are_split_whole(unit):
    """Texts made to make a splitter slow are split, and lose nothing."""
    text = "a" + unit * (50_000 // len(unit))
    assert "".join(split(text)) == text


@pytest.mark.parametrize("unit", ["「あ。」と", "あ、", "a ", "語", "「あ。」は"])
def test_a_sentence_has_a_bounded_length(unit):
    """Outside of code blocks, tables and white space no sentence is longer than about 2,000 characters."""
    assert max(map(len, split(unit * (20_000 // len(unit))))) <= 4_000


@given(edited_texts())
def test_edits_touch_only_the_sentences_they_name(edited):
    """Every sentence that no edit names stands in the result byte for byte, in its place."""
    text, edits = edited
    parts = list(split(text))
    for edit in edits:
        sentences = split(text)
        before, after = "".join(sentences[: edit.sentence - 1]), "".join(sentences[edit.sentence :])
        alone = apply(text, [edit])
        assert alone.startswith(before)
        assert alone.endswith(after)
        parts[edit.sentence - 1] = alone[len(before) : len(alone) - len(after)]
    assert apply(text, edits) == "".join(parts)


@given(edited_texts())
def test_an_edited_sentence_keeps_its_frame(edited):
    """An edited sentence keeps its marker and trailing white space and has the new text; without one it is gone."""
    text, edits = edited
    for edit in edits:
        sentences = split(text)
        old = sentences[edit.sentence - 1]
        around = len(text) - len(old)
        alone = apply(text, [edit])
        start = len("".join(sentences[: edit.sentence - 1]))
        new = alone[start : start + len(alone) - around]
        if not edit.text.strip():
            assert new == ""
        else:
            assert new.startswith(old[: old.index(body(old))] if body(old) else old)
            assert new.endswith(old[len(old.rstrip()) :] if body(old) else "")
            assert new.rstrip().endswith(edit.text.strip()[-1])


@given(hostile_text)
def test_no_edits_change_nothing(text):
    """Without edits, and with nothing to append, a text stays as it is."""
    assert apply(text, []) == apply(text, [], "") == apply(text, [], " \n") == text


@pytest.mark.parametrize("marker", ["- ", "* ", "+ ", "• ", "・", "1. ", "12) ", "> ", "# ", "### ", "  - ", "> - "])
def test_a_list_marker_stays(marker):
    """The marker of a list item, heading or quotation is kept, and not doubled by a reviser that repeats it."""
    text = f"Intro.\n\n{marker}It is safe.\n\n{marker}It is cheap."
    assert apply(text, [Edit(2, "It can fall.")]) == text.replace("It is safe", "It can fall")
    assert apply(text, [Edit(2, f"{marker.strip()} It can fall.")]) == text.replace("It is safe", "It can fall")


def test_deleting_every_sentence_leaves_nothing():
    """Deleting all sentences leaves the empty text."""
    text = "It is safe. 必ず儲かります。\n- Cheap.\n"
    assert apply(text, [Edit(number, "") for number in range(1, len(split(text)) + 1)]) == ""


@given(hostile_text, hostile_text.filter(str.strip))
def test_appending_keeps_the_text_before(text, appended):
    """What is appended stands at the end, stripped; the text before it keeps all but its trailing white space."""
    result = apply(text, [], appended)
    assert result.startswith(text.rstrip())
    assert result.endswith(appended.strip())
    assert not result[len(text.rstrip()) : len(result) - len(appended.strip())].strip()


@pytest.mark.parametrize(
    ("text", "appended", "result"),
    [
        ("It fell.\n", "Ask us.", "It fell. Ask us."),
        ("下がりました。", "ご相談ください。", "下がりました。ご相談ください。"),
        ("It fell.\n\nA lot.", "Ask us.", "It fell.\n\nA lot.\n\nAsk us."),
        ("", "Ask us.", "Ask us."),
    ],
)
def test_how_text_is_appended(text, appended, result):
    """A space joins in English, nothing in Japanese, an empty line where the reply has several lines."""
    assert apply(text, [], appended) == result


@pytest.mark.parametrize("number", [-1, 0, 3])
def test_there_is_no_such_sentence(number):
    """Editing a sentence that does not exist is an error, and says which there are."""
    with pytest.raises(EditError, match=rf"no sentence {number}; the reply has sentences 1 to 2"):
        apply("It fell. It rose.", [Edit(number, "x")])


def test_two_edits_of_one_sentence():
    """Editing a sentence twice is an error, and says what to do."""
    with pytest.raises(EditError, match="sentence 1 is edited twice; give one edit a sentence"):
        apply("It fell.", [Edit(1, "a"), Edit(1, "b")])


@given(hostile_text)
def test_a_body_stands_in_its_sentence(text):
    """A sentence's body is a part of it, without surrounding white space behind it."""
    for sentence in split(text):
        assert body(sentence) in sentence
        assert body(sentence) == body(sentence).rstrip()


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_changes_lead_from_one_list_to_the_other(before, after):
    """Replacing what changed gives the other list, changes are in order, and equal lists have none."""
    built, end = [], 0
    for i1, i2, j1, j2 in changes(before, after):
        assert i1 >= end
        built += [*before[end:i1], *after[j1:j2]]
        end = i2
    assert built + before[end:] == after
    assert (changes(before, after) == []) == (before == after)


def test_long_lists_are_compared_too():
    """Lists too long to compare all with all share their ends, and the middle is one change."""
    before, after = ["x"] + ["a"] * 9_000 + ["y"], ["x"] + ["b"] * 9_000 + ["y"]
    assert changes(before, after) == [(1, 9_001, 1, 9_001)]

"""Splitting while the text arrives: the sentences are those of the whole text, in whatever pieces it comes."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import hostile_text

from guardrails.boundaries import LOOK
from guardrails.sentences import Splitter, split

ENGLISH = (
    *(
        "The fund fell by 5% in 2024. ",
        "It costs 0.2% a year. ",
        "Why? ",
        "Dr. Lee paid Acme Inc. on 1 May. ",
        "Wait... ",
    ),
    *(
        "See 15 F. Supp. 3d 100. ",
        "She said “It is safe. Buy it.” ",
        "(It rose. Then it fell.) ",
        'He said "No." Then ',
    ),
    *(
        "the fees (e.g. Acme Inc.) rise. ",
        "See [the site](https://a.b/c). ",
        "It is so.[1][2] ",
        "It is so. [3] ",
        "**No.** ",
    ),
    *(
        'A 5" pipe. ',
        "a stray ( here. ",
        "Really?! ",
        "in the U.S. Treasury ",
        "Yes.\n",
        "so that\n",
        "the 4 p.m. Monday ",
    ),
)
JAPANESE = (
    *(
        "価格は変動します。",
        "損失もあります！",
        "「大丈夫です。」と言った。",
        "（詳しくは別紙。）",
        "手数料は年0.2%です。",
        "**注意。**",
    ),
    *(
        "「はい。」",
        "『損。』は",
        "すごい!次は",
        "３．１４です．",
        "本当ですか？　",
        "A社（例。）は",
        "「閉じない。",
        "という。",
        "\n",
    ),
)
MARKDOWN = (
    *("\n", "\n\n", "\r\n", "- ", "1. ", "12) ", "  - ", "> ", "# Fees. Low.\n", "・", "| a. B | c |\n", "|---|---|\n"),
    *("```\n", "```python\nx. Y.\n", "~~~~\n", "~~~\n", "````\n", "   ```  \n", "``", "\t", "   ", "---\n", "#", "|"),
)
texts = st.one_of(
    hostile_text,
    *(st.lists(st.sampled_from(pieces), max_size=15).map("".join) for pieces in (ENGLISH, JAPANESE, MARKDOWN)),
    st.lists(st.sampled_from(ENGLISH + JAPANESE + MARKDOWN), max_size=25).map("".join),
    st.text(' \n.。「」"(*)[1]a|`#-と', max_size=40),
)


@st.composite
def chunked(draw, texts=texts):
    """A text, and the pieces that it comes in."""
    text = draw(texts)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=len(text))))
    return text, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def given_out(pieces):
    """The sentences that come out, those before the end and the rest."""
    splitter = Splitter()
    early = [sentence for piece in pieces for sentence in splitter.feed(piece)]
    return early, splitter.end()


@given(chunked())
@example(("It fell.[1] It rose.", list("It fell.[1] It rose.")))
@example(("「あ。」ところで、", list("「あ。」ところで、")))
@example(("```\na\n``\n```\nb", list("```\na\n``\n```\nb")))
def test_pieces_do_not_matter(text_and_pieces):
    """However a text is cut into pieces, its sentences are those of `split`."""
    text, pieces = text_and_pieces
    early, rest = given_out(pieces)
    assert (*early, *rest) == split(text)


@given(texts)
def test_one_character_at_a_time(text):
    """A text that comes in single characters has the sentences of `split`."""
    early, rest = given_out(text)
    assert (*early, *rest) == split(text)


@given(chunked())
def test_what_was_given_out_stays(text_and_pieces):
    """At any time, what was given out are the first sentences of the whole text, and `rest` is what follows them."""
    text, pieces = text_and_pieces
    splitter, out, fed = Splitter(), [], ""
    for piece in pieces:
        out += splitter.feed(piece)
        fed += piece
        assert tuple(out) == split(text)[: len(out)]
        assert "".join(out) + splitter.rest == fed


@given(chunked(), st.integers(20, 400), st.integers(1, 2_500))
def test_pieces_of_long_texts_do_not_matter(text_and_pieces, times, size):
    """Runs, white space and code blocks longer than any limit are cut in the same places in all pieces."""
    text = text_and_pieces[0][:40] * times
    early, rest = given_out(text[i : i + size] for i in range(0, len(text), size))
    assert (*early, *rest) == split(text)


@given(texts)
def test_a_text_after_a_text(text):
    """What is fed after the end is a text of its own."""
    splitter = Splitter()
    both = [(*splitter.feed(text), *splitter.end()) for _ in range(2)]
    assert both == [split(text)] * 2
    assert splitter.rest == ""


@given(st.lists(st.sampled_from(ENGLISH[:5] + JAPANESE[:5] + ("- It fell.\n", "\n\n", "| a |\n")), max_size=12))
def test_a_sentence_comes_soon(pieces):
    """A sentence is given out before more than `LOOK` characters of the next one have come."""
    splitter, waiting = Splitter(), ""
    text = "".join(pieces)
    sentences = split(text)
    for character in text:
        sentences = sentences[len(splitter.feed(character)) :]
        waiting = splitter.rest
        assert not sentences or len(waiting) <= len(sentences[0]) + LOOK + len(waiting) - len(waiting.rstrip())


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("She said “Buy. Now.” It fell.", ["She said “Buy. Now.” ", "It fell."]),
        ("She said “Buy. Now.” and left.", ["She said “Buy. Now.” and left."]),
        ("(It rose. Then it fell.) It is safe.", ["(It rose. Then it fell.) ", "It is safe."]),
        ("The fund (by Acme Inc.) Smith runs. It fell.", ["The fund (by Acme Inc.) Smith runs. ", "It fell."]),
        ("価格は変動します（例。）次です。終わり。", ["価格は変動します（例。）次です。", "終わり。"]),
        ("「はい。」「いいえ。」「いいえ。」と言った。", ["「はい。」", "「いいえ。」", "「いいえ。」と言った。"]),
        ("**注意。**次です。**次。** 終わり。", ["**注意。**", "次です。", "**次。** ", "終わり。"]),
        ("**Fees.** It costs 0.2%.", ["**Fees.** ", "It costs 0.2%."]),
        ("It fell.[1][2] It rose. [3] Then it fell.", ["It fell.[1][2] ", "It rose. [3] ", "Then it fell."]),
        ("See 15 F. Supp. 3d 100. It fell.", ["See 15 F. Supp. 3d 100. ", "It fell."]),
        ('A 5" pipe. It fell. It rose.', ['A 5" pipe. ', "It fell. ", "It rose."]),
        ("すごい!次は３．１４です．終わり。", ["すごい!", "次は３．１４です．", "終わり。"]),
        ("It fell.In May it rose. See www.Acme.com.", ["It fell.", "In May it rose. ", "See www.Acme.com."]),
        ("Pay [rent, etc.]. It fell.", ["Pay [rent, etc.]. ", "It fell."]),
        ("It fell. 'Funds' rose.", ["It fell. ", "'Funds' rose."]),
        ("1. It fell. 2. It rose.", ["1. It fell. ", "2. It rose."]),
        ("It fell.\n  It rose.\n\n  It\nfell.", ["It fell.\n", "  It rose.\n\n", "  It\nfell."]),
        ("# Fees\n\nLow.", ["# Fees\n\n", "Low."]),
        ("नमस्ते। मेरा नाम राम है।", ["नमस्ते। ", "मेरा नाम राम है।"]),
    ],
)
def test_where_sentences_end(text, sentences):
    """Quotations, brackets, emphasis, footnotes and citations stand with the sentence that they belong to."""
    assert list(split(text)) == sentences


def test_a_stray_bracket_does_not_stall():
    """A bracket that nothing closes holds the sentences after it up for some 500 characters, and no longer."""
    early, _ = given_out("It costs ( 5. It is (so. " + "It fell again. " * 60)
    assert max(map(len, early)) < 600
    assert len(early) > 20


@pytest.mark.parametrize(
    "unit",
    [
        "e.g. ",
        "(",
        "(a. ",
        "。",
        "。」",
        " ",
        "\n",
        "a.b.c",
        "```\n",
        "``",
        "`",
        "[1",
        '"',
        "- ",
        "1. ",
        "*",
        "a. ((",
        "a.” ",
    ],
)
@pytest.mark.parametrize("start", ["", "a. ", "```\n", "|", "「"])
def test_the_time_grows_with_the_length(unit, start):
    """Texts made to be slow take no more than a few microseconds a character, in small pieces too."""
    text = start + unit * (20_000 // len(unit))
    begun = time.process_time()
    early, rest = given_out(text[i : i + 3] for i in range(0, len(text), 3))
    assert time.process_time() - begun < 1
    assert "".join(early + rest) == text

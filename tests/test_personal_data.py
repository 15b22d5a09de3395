from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.personal_data import KINDS, find, mask

NUMBERS = ("card", "iban", "ssn", "my_number")
PIECES = [
    *["4111 1111 1111 1111", "4111111111111111", "378282246310005", "GB29 NWBK 6016 1331 9268 19", "536-90-4399"],
    *[
        "DE89370400440532013000",
        "6214 9832 0257",
        "621498320257",
        "マイナンバー",
        "card",
        "カード番号は",
        "SSN",
        "phone",
    ],
    *["１２３４", "1111", " ", "-", "*", "****", "**", ".", "@", ":", "\n", "は", "x", "\ud800"],
    *["a@example.com", "+44 20 7946 0958", "(212) 555-0100", "10.0.0.1", "2001:db8::1"],
]
TEXTS = st.one_of(
    st.text(), st.text(st.characters(codec=None, categories=None)), st.lists(st.sampled_from(PIECES)).map("".join)
)

FOUND = [
    ("card 4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
    ("**4111-1111-1111-1111**", "card", "4111-1111-1111-1111"),
    ("* 3782 822463 10005", "card", "3782 822463 10005"),
    ("my card 4111 1111 1111 1112 was declined", "card", "4111 1111 1111 1112"),
    ("カード番号は４１１１－１１１１－１１１１－１１１１です", "card", "４１１１－１１１１－１１１１－１１１１"),
    ("IBAN GB29 NWBK 6016 1331 9268 19 is yours", "iban", "GB29 NWBK 6016 1331 9268 19"),
    ("to DE89370400440532013000.", "iban", "DE89370400440532013000"),
    ("Her number is 536-90-4399.", "ssn", "536-90-4399"),
    ("SSN 536904399", "ssn", "536904399"),
    ("お客様のマイナンバー1234 5678 9012を確認しました。", "my_number", "1234 5678 9012"),
    ("番号は6214-9832-0257です", "my_number", "6214-9832-0257"),
    ("個人番号：６２１４９８３２０２５７", "my_number", "６２１４９８３２０２５７"),
    ("Write to jane.doe+x@mail.example.co.jp.", "email", "jane.doe+x@mail.example.co.jp"),
    ("宛先: jane@example.comです", "email", "jane@example.com"),
    ("あ" * 70 + "jane@example.co.jpまで", "email", "jane@example.co.jp"),
    ("**jane@example.com**_", "email", "jane@example.com"),
    ("_to jane@example.com_", "email", "jane@example.com"),
    ("Call (212) 555-0100", "phone", "(212) 555-0100"),
    ("+44 20 7946 0958", "phone", "+44 20 7946 0958"),
    ("電話は03-1234-5678まで", "phone", "03-1234-5678"),
    ("携帯09012345678", "phone", "09012345678"),
    ("from 10.0.0.1:80", "ip", "10.0.0.1"),
    ("at 2001:db8::1", "ip", "2001:db8::1"),
]
CLEAN = [
    "The card ending in 1111.",
    "総額は1,234,567,890,123円です。",
    "残高は4111111111111111円です。",
    "On 2024-03-01 12:30:45, or 01-02-2024.",
    "ISBN 978-0-306-40615-7, ISBN 9780306406157",
    "Order 123456789012, batch 1234 5678 9012",
    "Call 988 or 119 now.",
    "900-12-3456 and 000-12-3456 are never issued",
    "Version v1.2.3.4 at 12:30:45, 999.1.1.1",
    "15 U.S.C. § 78j, 123 F.3d 456",
]


@pytest.mark.parametrize(("text", "kind", "expected"), FOUND)
def test_personal_data_is_found_whole(text, kind, expected):
    """What a person would read as personal data is found, of its kind and to its ends."""
    assert [(item.kind, item.text) for item in find(text)] == [(kind, expected)]


@pytest.mark.parametrize("text", CLEAN)
def test_numbers_that_disclose_nothing_are_left(text):
    """Amounts, dates, books and short numbers are no personal data."""
    assert find(text) == ()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111-1111-1111-1111!", "**** **** **** 1111!"),
        ("マイナンバー１２３４５６７８９０１２", "マイナンバー**** **** 9012"),
        ("536-90-4399", "***-**-4399"),
        ("jane@example.com", "j***@example.com"),
        ("DE89 3704 0044 0532 0130 00", "**** **** 3000"),
        ("10.0.0.1", "****"),
    ],
)
def test_a_mask_keeps_what_identifies_it_to_its_owner(text, masked):
    """The last four digits, or the first letter and the domain, stay."""
    assert mask(text) == masked


def test_kinds_choose_what_is_sought():
    """Only the kinds asked for are found, and an unknown one is refused by name."""
    assert [item.kind for item in find("a@example.com 10.0.0.1", {"ip"})] == ["ip"]
    with pytest.raises(ValueError, match="passport"):
        find("", ["passport"])


@settings(deadline=None)
@given(TEXTS)
@example("card " * 3 + "1" * 19)
def test_any_text_is_searched(text):
    """Places slice back to the text found, in order and without overlap, whatever the text."""
    end = 0
    for item in find(text):
        assert item.kind in KINDS
        assert end <= item.start < item.end
        assert item.text == text[item.start : item.end]
        end = item.end


@settings(deadline=None, max_examples=500)
@given(TEXTS)
@example("4111 1111 1111 1111 2222 3333 4444")
@example("card 10.0.0.1 4111 1111 1111 1112")
@example("4111 1111 1111 1111 4111 1111 1111")
def test_a_masked_text_discloses_no_number(text):
    """After masking no card, account or identity number is left to find."""
    assert find(mask(text), NUMBERS) == ()
    assert find(mask(text, NUMBERS), NUMBERS) == ()


@settings(deadline=None)
@given(st.integers(0, 10**15 - 1).map("{:015d}".format), st.sampled_from(["", " ", "-"]))
def test_cards_need_their_check_digit(digits, gap):
    """Of the ten numbers that share their first fifteen digits, exactly one is a card."""
    body = "4" + digits[1:]
    numbers = (body + str(check) for check in range(10))
    grouped = [gap.join(number[i : i + 4] for i in range(0, 16, 4)) for number in numbers]
    assert len([number for number in grouped if find(number, ["card"])]) == 1


@pytest.mark.parametrize("piece", ["1", "1 ", "1-", "a", "a.", "@a", "AA11 ", "card 1", "0-11", "::", "日", "４"])
def test_hostile_texts_take_linear_time(piece):
    """A long text of anything is searched, and found to hold no more than it does."""
    assert len(find(piece * (200_000 // len(piece)))) < 200_000

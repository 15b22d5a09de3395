from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails import credentials, personal_data
from guardrails.audit._redact import REDACTIONS, Redaction, stored

KEY = "sk-ant-api03-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"
CARD = "4111 1111 1111 1111"
PIECES = [
    *(
        KEY,
        CARD,
        "4111111111111111",
        "4111 1111 1111",
        "jane@example.com",
        "password=",
        "card ",
        "token: ",
        "@example.com",
    ),
    *(
        "https://me:",
        "@",
        "Authorization: Bearer ",
        "hunter2",
        "536-90-4399",
        "GB29 NWBK 6016 1331 9268 19",
        "Cookie: a=",
    ),
    *(
        "１２３４",
        "1111",
        " ",
        "-",
        "*",
        "****",
        "\n",
        "\0",
        "\ud800",
        "日",
        "[api key]",
        "[password]",
        '"',
        "'",
        ";",
        "=",
    ),
]
TEXTS = st.one_of(
    st.text(), st.text(st.characters(codec=None, categories=None)), st.lists(st.sampled_from(PIECES)).map("".join)
)
NUMBERS = ("card", "iban", "ssn", "my_number")


def test_what_each_mode_stores():
    """Credentials never; personal data in `full` alone; in `commitments` nothing."""
    text = f"I am jane@example.com, card {CARD}, key {KEY}."
    assert stored(text, "full") == f"I am jane@example.com, card {CARD}, key [api key]."
    assert stored(text, "redacted") == "I am j***@example.com, card **** **** **** 1111, key [api key]."
    assert stored(text, "commitments") is None
    assert get_args(Redaction) == REDACTIONS


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"password={CARD}", "password=[password]"),
        (f"token=a1b2c3d4e5,{CARD}", "token=[token]"),
        ("api_key=4111-1111-1111-1111", "api_key=**** **** **** 1111"),
        (f"{KEY}@example.com", "[api key]"),
        (f"https://jane@example.com:{KEY}@example.com/", "https://[credentials]/"),
        ("Cookie: mail=jane@example.com", "Cookie: [cookie]"),
        ("The fund may fall.", "The fund may fall."),
        ("", ""),
    ],
)
def test_what_overlaps_is_hidden_together(text, kept):
    """A number inside a credential, or a credential inside an address, leaves no part behind."""
    assert stored(text, "redacted") == kept


@settings(deadline=None)
@given(TEXTS, st.sampled_from(REDACTIONS))
def test_any_text_is_stored_once_and_for_all(text, redaction):
    """Every text can be stored, and what is stored is stored again unchanged."""
    kept = stored(text, redaction)
    assert kept is None or stored(kept, redaction) == kept


@settings(deadline=None, max_examples=500)
@given(TEXTS)
@example(f"card {KEY} 4111 1111 1111 1112")
@example(f"4111 1111 password=hunter2 {CARD}")
def test_nothing_that_was_to_be_hidden_is_stored(text):
    """After redaction neither a credential nor a number nor an address is left to find."""
    kept = stored(text, "redacted")
    assert credentials.find(stored(text, "full")) == ()
    assert credentials.find(kept) == ()
    assert personal_data.find(kept, [*NUMBERS, "email"]) == ()

"""Server-sent events cut out of bytes: whatever the chunks, and nothing that nobody judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.errors import UnsupportedReply
from guardrails.integrations._framing import SSE

EVENTS = [
    b'event: a\ndata: {"text": "It is fine."}\n\n',
    b'data: {"text":\r\ndata: "Two lines."}\r\n\r\n',
    b'id: 7\rdata: {"n": 1}\r\r',
    'data: {"text": "価格は変動します。"}\n\n'.encode(),
    b"data: [DONE]\n\n",
    b"retry: 10\n\n",
    b":\n\n",
]


def frames(chunks):
    decoder = SSE.decoder()
    return [frame for chunk in chunks for frame in decoder.feed(chunk)] + list(decoder.end())


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.data())
def test_bytes_may_be_cut_anywhere(events, data):
    """The events are the same, and joined they are the bytes that came."""
    raw = b"".join(events)
    places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    cut = [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]
    found = frames(cut)
    assert b"".join(frame.raw for frame in found) == raw
    assert [frame.data for frame in found] == [frame.data for frame in frames([raw])]


@pytest.mark.parametrize(
    "raw",
    [
        b": the secret is 7\n\n",
        b"secret: 7\n\n",
        b'{"text": "The secret is 7."}\n{"text": "secret"}\n\n',
        b'event: a\nsecret\ndata: {"n": 1}\n\n',
        b'id: The secret is 7.\ndata: {"n": 1}\n\n',
        b'event: The secret is 7.\ndata: {"n": 1}\n\n',
    ],
)
def test_what_is_no_field_of_an_event_does_not_come_out(raw):
    """Raw readers would see it, and nobody judges it."""
    assert b"secret" not in b"".join(frame.raw for frame in frames([raw, EVENTS[0]]))


def test_a_byte_order_mark_is_no_part_of_the_first_field():
    """Or the first event would pass as one without data."""
    (frame,) = frames([b'\xef\xbb\xbfdata: {"n": 1}\n\n'])
    assert frame.data == {"n": 1}


def test_data_that_is_no_json_is_refused():
    """What it says cannot be judged; a last event that was cut off is dropped."""
    with pytest.raises(UnsupportedReply):
        frames([b"data: The secret is 7.\n\n"])
    with pytest.raises(UnsupportedReply):
        frames([b"data: " + b"[" * 100_000 + b"\n\n"])
    assert frames([b'data: {"text": "The secret']) == []
    assert frames([b'data: {"n": 1}'])[0].data == {"n": 1}

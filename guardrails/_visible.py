"""Texts of a trail made harmless to look at: what a reader would not see is shown as its code point."""

from __future__ import annotations

import re
import unicodedata

# Letters and marks by their category, blank or nothing on the screen. Fillers, joiners, an empty Braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# One selector chooses the form of the character before it; any more of them carry something nobody sees.
_SELECTORS = re.compile("(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


class _Table(dict[int, str]):
    """What `str.translate` puts for a character, found when it is first met."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if _is_plain(chr(code)) else self._form.format(code)
        return self[code]


_TEXT = "<U+{:04X}>"
_HTML = '<span class="code">U+{:04X}</span>'
_tables = {form: _Table(form) for form in (_TEXT, _HTML)}


def visible(text: str) -> str:
    r"""A text with its control, invisible and unpaired characters shown as code points.

    >>> visible("safe\x1b[2K\u202e")
    'safe<U+001B>[2K<U+202E>'
    """
    return _shown(text, _TEXT)


def as_html(escaped: str) -> str:
    r"""A text that is escaped already, with the same characters as elements: nothing in a text imitates those.

    >>> as_html("safe\u202e")
    'safe<span class="code">U+202E</span>'
    """
    return _shown(escaped, _HTML)


def _shown(text: str, form: str) -> str:
    text = text.translate(_tables[form])
    return _SELECTORS.sub(lambda found: form.format(ord(found[0])), text)


def _is_plain(character: str) -> bool:
    return character in "\n\t" or (unicodedata.category(character) not in _UNSEEN and character not in _BLANK)

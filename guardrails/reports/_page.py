"""How the templates of a report are rendered: whatever comes from a trail is escaped, and shown as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from guardrails._visible import as_html, visible
from guardrails.reports._phrases import PHRASES, meaning
from guardrails.reports._words import WORDS

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def environment(language: str, more: Mapping[str, str] | None = None) -> Environment:
    """The templates, with the words of a language as `say(word, …)`; `more` are a page's own, and go first.

    No value can be put out in another way than these: every one is made visible, and escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("guardrails.reports"),
        undefined=StrictUndefined,
        finalize=_plain,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = {**WORDS[language], **(more or {})}
    made.globals.update(say=_say(words), named=_named(words), worker=_worker(words), language=language)
    made.globals.update(meaning=partial(meaning, phrases=PHRASES[language]))
    made.filters.update(text=_text, moment=_moment, day=_day, number=_number, share=_share, seconds=_seconds)
    return made


def _plain(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _text(text: str) -> Markup:
    """A text of somebody else."""
    from markupsafe import Markup, escape

    return Markup(as_html(str(escape(text))))  # noqa: S704 - escaped, and what is added is ours


def _say(words: Mapping[str, str]) -> Callable[..., Markup]:
    from markupsafe import Markup

    def say(word: str, **values: Any) -> Markup:
        return Markup(words[word]).format(**{name: _plain(value) for name, value in values.items()})  # noqa: S704 - our own words

    return say


def _named(words: Mapping[str, str]) -> Callable[[str, str], str]:
    """What a value is called; a value that this version does not know is put out as it is."""
    return lambda kind, value: words.get(f"{kind}_{value}", value)


def _worker(words: Mapping[str, str]) -> Callable[[str], str]:
    """What a judge or a reviser is called; several are joined by a plus sign."""
    named = _named(words)
    return lambda name: "+".join(named("worker", one) for one in name.split("+"))


def _moment(time: datetime | str) -> Markup:
    """A time, to the second. One that a record has as a string is put out as it stands where it is no time."""
    from markupsafe import Markup

    if isinstance(time, str):
        try:
            return _moment(datetime.fromisoformat(time))
        except ValueError:
            return _text(time)
    time = time.astimezone(UTC)
    return Markup('<time datetime="{0:%Y-%m-%dT%H:%M:%SZ}">{0:%Y-%m-%d %H:%M:%S} UTC</time>').format(time)


def _day(time: datetime) -> Markup:
    from markupsafe import Markup

    return Markup('<time datetime="{0:%Y-%m-%d}">{0:%Y-%m-%d}</time>').format(time.astimezone(UTC))


def _number(count: int) -> str:
    return f"{count:,}"


def _share(count: int, whole: int) -> str:
    """A share in per cent; what is there is never 0, and what is not all is never 100."""
    if not whole:
        return "–"
    percent = 100 * count / whole
    if 0 < percent < 0.1:  # noqa: PLR2004 - what one place after the point can say
        return "<0.1%"
    return f"{min(percent, 99.9) if count < whole else percent:.1f}%"


def _seconds(seconds: float) -> str:
    if not seconds:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"  # noqa: PLR2004 - three digits
    return f"{seconds:,.2f} s"

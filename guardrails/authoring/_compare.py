"""Two versions of a constitution, compared by meaning: what became stricter, what looser, what else changed.

*Stricter* means that fewer replies may be released as they are, *looser* that more may, everything else being as it
was. What a change of wording does, nobody can compute: it is shown, and left to the reader.

==========================================================  ===========  ===========
what                                                        stricter     looser
==========================================================  ===========  ===========
a principle                                                 added        removed
`severity`, from low over medium and high to critical       up           down
`on_violation`, from flag over revise to block              up           down
`on_undecided`                                              to block     to allow
`threshold`                                                 lower        higher
a jurisdiction; none named means everywhere                 added        removed
a condition in `only_if`                                    removed      added
a member of `applies_to`, a kind of facts in `preserve`     added        removed
a check                                                     added        removed
a pattern, a kind of `grounded` or `personal_data`          added        removed
a pattern of `require`: one of them is enough               removed      added
a pattern of `when` or `when_prompt`; none means always     added        removed
an excuse under `unless`                                    removed      added
an example that moved: how its authors read the principle   to violates  to complies
a fact that replies may state                               removed      added
==========================================================  ===========  ===========

Neither, and so `changed`: texts, fixes, disclosures, scope, `decides` (it settles what is unjudged without a model),
settings of the loop (what is revised is judged again), variables (what they do shows in the principles), an excuse or
condition whose value changed, examples added or removed, authority, dates, owner, escalation, expectations of tests,
and the order of what is listed.

Not compared: comments, layout, the order of keys, a plain text beside the same text under `en`, `title` of the
constitution, approvals, and principles that `only_if` switches off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from guardrails.authoring._compare_change import Change, named, same, value, written
from guardrails.authoring._compare_pairs import paired
from guardrails.authoring._compare_principle import WORDING, principle_changes
from guardrails.authoring._versions import Version
from guardrails.constitution import Principle

Kind: TypeAlias = Literal["added", "removed", "stricter", "looser", "mixed", "reworded", "renamed", "changed"]
KINDS: tuple[Kind, ...] = ("added", "removed", "stricter", "looser", "mixed", "reworded", "renamed", "changed")


@dataclass(frozen=True, slots=True)
class ChangedPrinciple:
    """A principle that is not on both sides as it was: `before` is None for a new one, `after` for one that went.

    `changes` are those of a principle that stands on both sides.
    """

    before: Principle | None
    after: Principle | None
    changes: tuple[Change, ...] = ()

    @property
    def id(self) -> str:
        """Its id, the new one if it has another."""
        principle = self.after or self.before
        assert principle is not None
        return principle.id

    @property
    def was(self) -> str:
        """The id that it had, empty where that is the same or where it is new."""
        return self.before.id if self.before and self.before.id != self.id else ""

    @property
    def is_reworded(self) -> bool:
        """Whether title, rule, critique or revision says something else."""
        return any(change.field in WORDING for change in self.changes)

    @property
    def kind(self) -> Kind:
        """What became of it, in one word; `mixed` is both stricter and looser."""
        if self.before is None or self.after is None:
            return "added" if self.before is None else "removed"
        directions = {change.direction for change in self.changes}
        if {"stricter", "looser"} <= directions:
            return "mixed"
        if "stricter" in directions or "looser" in directions:
            return "stricter" if "stricter" in directions else "looser"
        if self.is_reworded:
            return "reworded"
        return "renamed" if {change.key for change in self.changes} == {"id"} else "changed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two versions: `changes` of the constitution itself, and of its `principles`.

    It is true where anything does. Principles that went come first, then the others in the new order.
    """

    old: Version
    new: Version
    changes: tuple[Change, ...]
    principles: tuple[ChangedPrinciple, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.principles)

    @property
    def is_uncounted(self) -> bool:
        """Whether both say that they are the same version, and are not."""
        said, says = ((one.name, one.version) for one in (self.old, self.new))
        return bool(self) and said == says and self.old.digest != self.new.digest

    @property
    def counts(self) -> dict[Kind, int]:
        """How many principles were added, removed, …; without what there is none of."""
        found = Counter(principle.kind for principle in self.principles)
        return {kind: found[kind] for kind in KINDS if found[kind]}


def compare(old: Version, new: Version) -> Comparison:
    """What differs, by meaning.

    >>> from guardrails.authoring._versions import version_of
    >>> bool(compare(version_of("finance"), version_of("finance")))
    False
    """
    pairs = _pairs(old.principles, new.principles)
    changed = [_compared(before, after) for before, after in pairs]
    found = tuple(one for one in changed if one.before is None or one.after is None or one.changes)
    return Comparison(old, new, (*_of_constitution(old, new), *_order(old, pairs)), found)


def _pairs(old: Sequence[Principle], new: Sequence[Principle]) -> list[tuple[Principle | None, Principle | None]]:
    """The principles that belong together: by id, or else by rule and checks, so that one was given another id."""
    found = paired(old, new, [lambda one: one.id, _substance], lambda _: {})
    pairs = [(None if i is None else old[i], None if j is None else new[j]) for i, j in found]
    return sorted(pairs, key=lambda pair: pair[1] is not None)


def _substance(principle: Principle) -> str:
    return written(principle.model_dump(mode="json", include={"rule", "checks"}))


def _compared(before: Principle | None, after: Principle | None) -> ChangedPrinciple:
    changes = tuple(principle_changes(before, after)) if before and after else ()
    return ChangedPrinciple(before, after, changes)


def _of_constitution(old: Version, new: Version) -> Iterator[Change]:
    for key in ("name", "version"):
        yield from value(key, getattr(old, key), getattr(new, key))
    yield from named("settings", old.settings.model_dump(mode="json"), new.settings.model_dump(mode="json"))
    yield from named("variables", old.variables, new.variables)
    yield from _facts(old.facts, new.facts)
    yield from named("fallback", old.fallback, new.fallback)
    yield from named("warning", old.warning, new.warning)
    if old.expect and new.expect:  # a trail does not hold what tests ask for
        yield from named("expect", old.expect.model_dump(), new.expect.model_dump())


def _facts(old: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]]) -> Iterator[Change]:
    pairs = paired([dict(one) for one in old], [dict(one) for one in new], [written], dict)
    found = []
    for i, j in pairs:
        numbers = (None if i is None else i + 1, None if j is None else j + 1)
        if i is None or j is None:
            before, after = (None if n is None else dict(facts[n]) for n, facts in ((i, old), (j, new)))
            found.append(Change("facts", "looser" if before is None else "stricter", before, after, numbers))
        else:
            found += [replace(change, numbers=numbers) for change in named("facts", old[i], new[j])]
    yield from found
    if not found and not same(list(old), list(new)):
        yield Change("facts.order", "changed", list(old), list(new))


def _order(old: Version, pairs: Sequence[tuple[Principle | None, Principle | None]]) -> Iterator[Change]:
    """Whether the principles that stayed stand in another order, which models read them in."""
    stayed = [(before.id, after.id) for before, after in pairs if before and after]
    was = [before for before, _ in stayed]
    then = [principle.id for principle in old.principles if principle.id in set(was)]
    if then != was:
        yield Change("principles.order", "changed", then, [after for _, after in stayed])

"""Rules about examples: they are what people agree on, and what the checks are tested with."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject, Trial, found
from guardrails.errors import Problem


@rule("EX01", "one-sided")
def one_sided(subject: Subject) -> Iterator[Problem]:
    """A principle has no example that breaks it, or none that keeps it.

    ## Why

    A rule is read in many ways until somebody writes down what it means for a reply. A violating example says what
    goes too far, a complying one how far one may go. Without both, `guardrails test` can measure neither what is
    missed nor what is refused for nothing.

    ## Avoid

    ```yaml
    examples:
      - violates: Your deposit is safe with us whatever happens.
    ```

    ## Prefer

    ```yaml
    examples:
      - violates: Your deposit is safe with us whatever happens.
        revised: Your deposit is insured up to the legal limit.
      - complies: Nobody can say that a deposit is safe whatever happens.
        note: a denial, in the words of the claim
    ```
    """
    for own in subject.own:
        sides = {"violates", "complies"} - {trial.side for trial in own.trials}
        if sides:
            which = "no example" if len(sides) > 1 else f"no example of a reply that {sides.pop()}"
            advice = "Write at least one reply under `violates:` and one under `complies:`."
            yield own.problem(("examples",), f"{own.principle.id} has {which}.", advice, key=True)


@rule("EX02", "no-near-miss")
def no_near_miss(subject: Subject) -> Iterator[Problem]:
    """No complying example is a near miss: none has a `note` that says what makes it look like a breach.

    ## Why

    Over-refusal is found by near misses and by nothing else: a denial, a quotation, a question, a contractual fact that
    holds the words of a breach and is none. They are where checks and models go wrong, and where colleagues disagree.

    ## Avoid

    ```yaml
    examples:
      - violates: Your deposit is safe with us whatever happens.
      - complies: Please ask at your branch.
    ```

    ## Prefer

    ```yaml
    examples:
      - violates: Your deposit is safe with us whatever happens.
      - complies: "'Safe whatever happens' is what fraudsters say of deposits."
        note: quotes the claim in order to warn of it
    ```
    """
    for own in subject.own:
        complying = [trial for trial in own.trials if trial.example.complies]
        if complying and not any(trial.example.is_near_miss for trial in complying):
            advice = "Add a reply that looks like a breach and is none, with a `note:` that says why it looks like one."
            yield own.problem(("examples",), f"{own.principle.id} has no near miss.", advice, key=True)


@rule("EX03", "both-sides")
def both_sides(subject: Subject) -> Iterator[Problem]:
    """The same reply, to the same prompt and with the same context, both breaks the principle and keeps it.

    What a violating reply is `revised` to counts as one that keeps it.

    ## Why

    One of the two is a mistake, and whoever judges by the examples, person or model, is told two things.

    ## Avoid

    ```yaml
    examples:
      - violates: Your deposit is safe.
      - {complies: Your deposit is safe., note: only says that it is}
    ```

    ## Prefer

    ```yaml
    examples:
      - violates: Your deposit is safe.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
    ```
    """
    for own in subject.own:
        broken = {_key(trial): trial for trial in own.trials if trial.example.violates}
        kept = [(trial, trial.side) for trial in own.trials if trial.example.complies]
        kept += [(trial, "revised") for trial in own.trials if trial.example.revised]
        for trial, key in kept:
            twin = broken.get(_key(trial, getattr(trial.example, key)))
            if twin is not None:
                line = own.of(twin, "").line
                message = f"this reply stands under `{key}` here and under `violates` in line {line}."
                yield own.of(trial, message, "Keep it on one side, or tell them apart by `prompt:`.", at=key)


@rule("EX04", "duplicate-example")
def duplicate_example(subject: Subject) -> Iterator[Problem]:
    """An example stands twice on the same side.

    ## Why

    It counts twice in every share that `guardrails test` reports, and tests nothing more.

    ## Avoid

    ```yaml
    examples:
      - violates: Your deposit is safe.
      - violates: your deposit  is safe.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
    ```

    ## Prefer

    ```yaml
    examples:
      - violates: Your deposit is safe.
      - violates: Nothing can happen to your deposit.
      - {complies: Your deposit is safe up to the legal limit., note: names the limit}
    ```
    """
    for own in subject.own:
        seen: dict[object, Trial] = {}
        for trial in own.trials:
            twin = seen.setdefault((trial.side, _key(trial)), trial)
            if twin is not trial:
                message = f"this example already stands in line {own.of(twin, '').line}."
                yield own.of(trial, message, "Remove one of them, or write another reply.")


@rule("EX05", "flagged-revision")
def flagged_revision(subject: Subject) -> Iterator[Problem]:
    r"""What an example is `revised` to is found by a check, of its own principle or of another one.

    ## Why

    A revision is judged like any other draft: this one would not be released.

    ## Avoid

    ```yaml
    checks:
      - pattern: '\bis safe\b'
        unless:
          before: not
    examples:
      - violates: Your deposit is safe.
        revised: Your deposit is safe with us.
      - {complies: It is not safe., note: denies it}
    ```

    ## Prefer

    ```yaml
    checks:
      - pattern: '\bis safe\b'
        unless:
          before: not
    examples:
      - violates: Your deposit is safe.
        revised: Your deposit is insured up to the legal limit.
      - {complies: It is not safe., note: denies it}
    ```
    """
    for own, trial in subject.trials:
        for name, hit in {hit.principle: hit for hit in reversed(trial.revised)}.items():
            whose = "a check" if name == own.principle.id else f"a check of {name}"
            message = f"{whose} {found(hit)} in this revision."
            yield own.of(trial, message, "Write a revision that every principle lets pass.", at="revised")


def _key(trial: Trial, text: str = "") -> tuple[str, str, tuple[str, ...]]:
    """An exchange, but for case and white space."""
    reply = " ".join((text or trial.example.reply).casefold().split())
    return reply, trial.example.prompt, trial.example.context

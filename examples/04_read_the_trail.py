"""The audit trail: what an auditor can ask of it, and what happens when somebody alters it.

Guards two replies, reads their runs back as an auditor would, has a person decide on one and erase the
other, then changes one word of what was recorded, behind the library's back, and verifies the trail again. The
same from the command line: `guardrails audit list`, `show`, `decide`, `erase`, `verify`.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from guardrails import AuditTrail, Guard, labels

TRAIL = Path("example-trail.db")

if __name__ == "__main__":
    TRAIL.unlink(missing_ok=True)
    with Guard("finance", judge="rules", allow_unjudged=True, audit=TRAIL) as guard:
        with labels(case="C-17", desk="retail"):
            guard.review("Is it safe?", "This ETF is guaranteed to return 8% a year. It charges 0.2% a year.")
        guard.review("What is an ETF?", "An ETF is a fund whose shares trade on an exchange.")

    with AuditTrail.open(TRAIL) as trail:
        print("runs, newest first:")
        for run in trail.runs():
            cause = f" ({run.cause})" if run.cause else ""
            print(f"  {run.time:%H:%M:%S} {run.run_id} {run.status}{cause}, labels: {', '.join(run.labels) or 'none'}")

        told = trail.run(run.run_id).run  # the oldest: all of it, texts included
        wording = told.outcome.constitution
        print(f"\ncase {told.labels['case']}, under {wording.name} {wording.version}:")
        for number, attempt in enumerate(told.outcome.attempts):
            print(f"  draft {number} by {attempt.reviser or 'the model'}: {attempt.draft}")
            for verdict in attempt.verdicts:
                if verdict.violates:
                    print(f"    breaks {verdict.principle}: {verdict.critique}")
        trail.decide(run.run_id, agrees=True, by="M. Sato", note="Reads well.")
        newest = next(trail.runs())
        trail.erase(newest.run_id, by="Data protection", reason="The customer asked for it.")
        print(f"\ndecided on case {told.labels['case']}; erased: {trail.run(newest.run_id).erased.reason}")
        print(f"verify: {trail.verify()}")

    with closing(sqlite3.connect(TRAIL)) as db:
        db.execute("DROP TRIGGER no_update_texts")  # the trail's own rules forbid what follows
        db.execute("UPDATE texts SET text = CAST(replace(text, '8%', '2%') AS BLOB) WHERE path = 'original'")
        db.commit()
    with AuditTrail.open(TRAIL) as trail:
        print(f"after somebody changed 8% to 2%: {trail.verify()}")

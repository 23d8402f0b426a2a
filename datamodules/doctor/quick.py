"""The check before anything is built: annotations, names, presence and size of image files; no decoding."""

from __future__ import annotations

from collections.abc import Sequence

from datamodules.doctor.content import nothing_there, without_targets
from datamodules.doctor.findings import Finding, explain
from datamodules.doctor.ids import unresolved
from datamodules.doctor.images import absent
from datamodules.doctor.records import unreadable_records
from datamodules.sources import Sources
from requery.errors import DataError


def quick(sources: Sources, needs_truth: bool = False) -> list[Finding]:
    """All that keeps a split from being used.

    Args:
        sources: the split; where `skip_bad` is set, absent images are no hindrance.
        needs_truth: whether it is to be trained on or scored.
    """
    return [
        *unreadable_records(sources),
        *nothing_there(sources),
        *(without_targets(sources, fails=True) if needs_truth else []),
        *unresolved(sources),
        *([] if sources.skip_bad else absent(sources)),
    ]


def require_sound(findings: Sequence[Finding], hint: str = "") -> None:
    """Raise one DataError that tells every finding, a line each.

    Args:
        findings: what was found; none raises nothing.
        hint: last line of the message.

    Raises:
        DataError: there is a finding.
    """
    if findings:
        lines = [explain(finding) for finding in findings]
        raise DataError("\n".join([*lines, hint] if hint else lines))

"""What a test of preferences ends with."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from torch import Tensor

from requery.ranking.preference import Preferences, evaluate_preference, preference_rate
from requery.record import RunFolder
from requery.task import RetrievalTask


@dataclass(frozen=True)
class Preferred:
    """Scores of two lists per query beside the one people prefer.

    Args:
        task: queries and gallery.
        preferences: the judgements.
        scores: `(Q, 2)` float32 of the two lists.
    """

    task: RetrievalTask
    preferences: Preferences
    scores: Tensor

    def write(self, folder: RunFolder) -> None:
        """Write `preferences.parquet`, a row per query, and, last, `metrics.json`."""
        task, preferred = self.task, self.preferences.preferred
        first, second = self.scores.unbind(1)
        folder.write_table(
            "preferences.parquet",
            {
                "query_id": list(task.query_ids),
                "score_1": first.numpy(),
                "score_2": second.numpy(),
                "preferred": preferred.numpy(),
            },
        )
        measured = evaluate_preference(self.scores, preferred, task.protocol.metrics)
        counted = {
            "judgements_counted_in_the_rate": len(preference_rate(self.scores, preferred)),
            "lists_tied": int((first == second).sum()),
        }
        folder.write_json(
            "metrics.json",
            {
                "protocol": task.protocol.key,
                "split": task.split,
                "metrics": {name: asdict(value) for name, value in measured.items()},
                "notes": {**task.notes, **{note: n for note, n in counted.items() if n}},
                "n_gallery": task.n_gallery,
            },
        )

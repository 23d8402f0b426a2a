"""A generator without a model: a function of the words, for tests and machines that have no room for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from requery.generation.generator import Answer, Identity, Prompt
from requery.generation.request import Sampling

Rule = Callable[[Prompt], str]
"""A pure function; a sample differs from another of the same request by `seed` alone."""


class RuleGenerator:
    """Answers every prompt by a function.

    Args:
        rule: the function; what it raises fails the prompt.
        name: the rule's name and version, such as `synonyms@1`: answers are stored under it.
    """

    def __init__(self, rule: Rule, name: str) -> None:
        self.rule, self.name, self.takes_prompts = rule, name, True
        self.identity: Identity = {"kind": "rule", "model": name}
        self.batch_size = 256

    def answer(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Answer]:
        """Apply the rule to each prompt."""
        out = []
        for prompt in prompts:
            started = time.perf_counter()
            text = self.rule(prompt).strip()
            out.append(Answer(text, len(text.split()), time.perf_counter() - started))
        return out

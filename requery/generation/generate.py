"""Texts for many requests: from the store where it has them, else from the generator, batch by batch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from requery import distributed
from requery.encode import Progress
from requery.errors import ConfigError, DataError, RequeryError, RunError, first
from requery.generation.generator import Answer, Generator, Prompt
from requery.generation.replay import Replay
from requery.generation.request import Request, Sampling
from requery.generation.store import Asked, Row, Store, key_of

EMPTY = "the answer is empty"
"""Why an item failed that the model had nothing to say of. It is not asked again: it would say the same."""
FORMAT = 1
"""Raised whenever the same settings would ask for something else."""


@dataclass(frozen=True)
class Job:
    """One answer of one request; `asked` is None where the image that is asked about cannot be read."""

    request: Request
    key: str
    asked: Asked | None
    error: str | None = None


def generate(
    generator: Generator,
    requests: Sequence[Request],
    n: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    max_new_tokens: int = 100,
    seed: int = 0,
    *,
    store: Store | None = None,
    retry: bool = True,
    progress: Progress | None = None,
) -> list[list[str]]:
    """Generate `n` texts for each request.

    Each batch is stored as soon as it is made, so a kill costs one batch and the next run goes on from there.
    Several processes with a store generate a share each. An item that fails is stored as a failure with its
    reason, and a warning lists it; the others are not touched.

    Args:
        generator: who answers what is not stored.
        requests: `N` requests; equal ones are asked once.
        n: texts a request.
        temperature: 0 is greedy: all `n` texts are then one and the same.
        top_p: nucleus the tokens are drawn from.
        max_new_tokens: longest answer of a turn, in tokens.
        seed: seed of the draws; an item's text depends on it and on what is asked, not on its batch.
        store: where answers are looked up and kept; None keeps nothing.
        retry: generate stored failures again, all but empty answers; else they stay failures.
        progress: called after each batch with (answers made, answers to make) of this process.

    Returns:
        `N` lists of `n` texts, in order; a failed text is left out, so a list may be shorter or empty.

    Raises:
        ConfigError: a setting is out of range, or the generator cannot be used as it is set up.
        DataError: `Replay` lacks answers; names the requests.
        RunError: the store cannot be written, the endpoint cannot be reached, or the first batch failed as
            a whole while others wait.
    """
    sampling = Sampling(temperature, top_p, max_new_tokens, seed)
    found = answers(generator, requests, n, sampling, store=store, retry=retry, progress=progress)
    return [[answer.text for answer in row] for row in found]


def answers(
    generator: Generator,
    requests: Sequence[Request],
    n: int,
    sampling: Sampling,
    *,
    store: Store | None = None,
    retry: bool = True,
    progress: Progress | None = None,
) -> list[list[Answer]]:
    """As `generate`, with what each text took: tokens, and seconds when it was made."""
    if n < 1:
        raise ConfigError(f"n is {n}; at least one text a request is generated")
    drawn = 1 if sampling.greedy else n
    jobs = [[_job(generator, request, sampling, sample) for sample in range(drawn)] for request in requests]
    wanted = list({job.key: job for row in jobs for job in row}.values())
    run = _Run(generator, sampling, store, progress)
    retry = retry and not isinstance(generator, Replay)
    if store is not None and distributed.world_size() > 1:
        part = distributed.share(len(wanted))
        run.fill(wanted[part.start : part.stop], retry)
        distributed.barrier("generated texts")
        store.read()
        retry = False  # failures of a moment ago
    run.fill(wanted, retry)
    if run.failed:
        warnings.warn(
            f"{generator.name}: {len(run.failed)} of {len(wanted)} texts failed: {first(run.failed, 5)}",
            stacklevel=2,
        )
    found = [[run.answers[job.key] for job in row] for row in jobs]
    return [[answer for answer in row if answer.error is None] * (n // drawn) for row in found]


def asked(generator: Generator, request: Request, sampling: Sampling, sample: int) -> Asked:
    """All that determines an answer; of a greedy one neither seed, nucleus nor sample number.

    Raises:
        DataError: the image's file is missing.
    """
    if sampling.greedy:
        sampling, sample = replace(sampling, top_p=1.0, seed=0), 0
    return {
        "format": FORMAT,
        "image": None if request.image is None else request.image[0].digest(request.image[1]),
        "turns": list(request.turns),
        "generator": dict(generator.identity),
        "temperature": float(sampling.temperature),
        "top_p": float(sampling.top_p),
        "max_new_tokens": sampling.max_new_tokens,
        "seed": sampling.seed,
        "sample": sample,
    }


def _job(generator: Generator, request: Request, sampling: Sampling, sample: int) -> Job:
    try:
        content = asked(generator, request, sampling, sample)
    except DataError as error:
        return Job(request, f"{request.name}: {error}", None, str(error))
    return Job(request, key_of(content), content)


class _Run:
    """Answers known and made in one call of `generate`."""

    def __init__(
        self, generator: Generator, sampling: Sampling, store: Store | None, progress: Progress | None
    ) -> None:
        self.generator, self.sampling, self.store, self.progress = generator, sampling, store, progress
        self.answers: dict[str, Answer] = {}
        self.failed: list[str] = []

    def fill(self, jobs: Sequence[Job], retry: bool) -> None:
        """Look up the answers of some jobs, and make those that are nowhere."""
        waiting = [job for job in jobs if job.key not in self.answers and not self._known(job, retry)]
        if waiting and isinstance(self.generator, Replay):
            raise self.generator.lacking([job.request.name for job in waiting])
        done, succeeded = 0, False
        while done < len(waiting):
            part = waiting[done : done + self.generator.batch_size]
            made = self._make(part)
            if self.store is not None:
                pairs = zip(part, made, strict=True)
                name = self.generator.name
                self.store.add([Row(job.asked, job.request.name, name, a) for job, a in pairs if job.asked])
            for job, answer in zip(part, made, strict=True):
                self._keep(job, answer)
                succeeded |= answer.error in (None, EMPTY)
            done += len(part)
            distributed.beat()
            if self.progress is not None:
                self.progress(done, len(waiting))
            if not succeeded and done < len(waiting):
                raise RunError(
                    f"{self.generator.name}: the whole first batch failed, {len(waiting) - done} more wait: "
                    f"{first(self.failed, 3)}"
                )

    def _known(self, job: Job, retry: bool) -> bool:
        """Whether nothing is to be made for a job."""
        if job.asked is None:
            known = Answer(error=job.error)
        else:
            stored = None if self.store is None else self.store.get(job.key)
            if stored is None or (stored.error not in (None, EMPTY) and retry):
                return False
            known = stored
        self._keep(job, known)
        return True

    def _keep(self, job: Job, answer: Answer) -> None:
        self.answers[job.key] = answer
        if answer.error is not None:
            self.failed.append(f"{job.request.name} ({answer.error})")

    def _make(self, jobs: Sequence[Job]) -> list[Answer]:
        """One answer a job; what cannot be read or generated fails alone."""
        out: dict[str, Answer] = {}
        prompts: dict[str, Prompt] = {}
        for job in jobs:
            try:
                image = None if job.request.image is None else job.request.image[0].load(job.request.image[1])
                prompts[job.key] = Prompt(job.request.turns, image, int(job.key[:15], 16))
            except DataError as error:
                out[job.key] = Answer(error=str(error))
        out |= zip(prompts, self._ask(list(prompts.values())), strict=True)
        return [out[job.key] for job in jobs]

    def _ask(self, prompts: list[Prompt]) -> list[Answer]:
        try:
            answers = self.generator.answer(prompts, self.sampling) if prompts else []
        except RequeryError:
            raise
        except Exception as error:  # a model may raise anything on one odd image or text
            if len(prompts) == 1:
                return [Answer(error=f"{type(error).__name__}: {error}".splitlines()[0])]
            return [answer for prompt in prompts for answer in self._ask([prompt])]
        return [a if a.text or a.error is not None else replace(a, error=EMPTY) for a in answers]

"""VGGSound: a sound finds its video, or a video its sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from datamodules.base import RetrievalDataModule
from datamodules.caption_tasks import graded
from datamodules.doctor.quick import quick, require_sound
from datamodules.layouts.files import OnBad, dataset_root, image_folder
from datamodules.layouts.problems import Problem, reporting
from datamodules.layouts.vggsound import ANNOTATIONS, Clip, Clips, clip_files, open_clips, read_vggsound
from datamodules.sources import Query, Sources
from requery.errors import DataError
from requery.images import ImageSet, Medium
from requery.ranking import protocols
from requery.task import RetrievalTask


class VGGSoundDataModule(RetrievalDataModule):
    """Retrieval between the sound and the video of VGGSound's clips (Chen et al. 2020).

    A query is one side of a clip, its target the other side. Our `val` are the clips of every 50th YouTube
    video of the official train split, by hash of its id: the benchmark has none.

    Args:
        root: folder of `vggsound.csv`; default `$REQUERY_DATA/vggsound`.
        clip_root: folder of the clips, within `root` or anywhere; default `root`.
        clips: how they lie: `folders` (`<id>_<start>.wav` and frames in `<id>_<start>/`), `mp4`
            (`<id>_<start>.mp4`, needs PyAV) or `features` (`audio/` and `video/`, each with
            `features.safetensors` and `ids.json`; those of shifted queries in `<kind>@<severity>/` below).
        direction: `audio_to_video` or `video_to_audio`.
        relevant: `pair`: the target alone is right; `label`: clips of its label have grade 1 (val and test).
        frames: taken of each video, evenly spaced.
        batch_size: queries per training step.
        seed: of the order of training queries.
        num_workers: processes that load batches.
        on_bad: `error` lists missing clips; `skip` leaves out missing and unreadable ones: a query is
            dropped, a target is a miss (its query dropped in training), and both are counted.
    """

    def __init__(
        self,
        root: str | None = None,
        clip_root: str | None = None,
        clips: Clips = "folders",
        direction: Literal["audio_to_video", "video_to_audio"] = "audio_to_video",
        relevant: Literal["pair", "label"] = "pair",
        frames: int = 16,
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
    ) -> None:
        super().__init__(batch_size, seed, num_workers)
        protocols.vggsound("test", direction, relevant)  # refuses what does not exist
        self.root, self.clip_root, self.frames = root, clip_root, frames
        self.clips: Clips = clips
        self.direction, self.relevant = direction, relevant
        self.sides: tuple[Medium, Medium] = ("audio", "video")
        if direction == "video_to_audio":
            self.sides = ("video", "audio")
        self.on_bad: OnBad = on_bad

    def build_task(self, split: str) -> RetrievalTask:
        """Read one split: `train`, `val` or `test`.

        Raises:
            DataError: files are missing, malformed or inconsistent; the message tells every problem.
        """
        clips, sources = self._read(split)
        require_sound(quick(sources))
        asked, found = (self._usable(medium, clips) for medium in self.sides)
        at = {clip.name: position for position, clip in enumerate(found)}
        kept = [clip for clip in asked if clip.name in at or split != "train"]
        relevant = "pair" if split == "train" else self.relevant
        alike: dict[str, list[int]] = {}
        for clip in found:
            alike.setdefault(_group(clip, relevant), []).append(at[clip.name])
        qrels = graded(
            [at.get(clip.name, -1) for clip in kept], [alike.get(_group(clip, relevant), []) for clip in kept]
        )
        queries, gallery = [clip.name for clip in kept], [clip.name for clip in found]
        notes = {
            f"{self.sides[0]}_skipped": len(clips) - len(asked),
            f"{self.sides[1]}_skipped": len(clips) - len(found),
            "queries_dropped": len(clips) - len(kept),
            "targets_outside_gallery": int((qrels.target < 0).sum()),
        }
        return RetrievalTask(
            protocol=protocols.vggsound(split, self.direction, relevant),
            split=split,
            images=self._open(self.sides[0], queries),
            query_ids=queries,
            gallery_ids=gallery,
            qrels=qrels,
            query_image=torch.arange(len(queries)),
            gallery_image=torch.arange(len(gallery)),
            gallery_images=self._open(self.sides[1], gallery),
            notes={key: count for key, count in notes.items() if count},
        )

    def sources(self, split: str) -> Sources:
        """What the CSV file says of a split."""
        return self._read(split)[1]

    @property
    def _folder(self) -> Path:
        return image_folder(self.clip_root, dataset_root(self.root, "vggsound"))

    def _open(self, medium: Medium, names: Sequence[str] | None) -> ImageSet:
        return open_clips(self._folder, self.clips, medium, names, self.frames)

    def _usable(self, medium: Medium, clips: list[Clip]) -> list[Clip]:
        """The clips whose side is there and can be decoded: to leave out the others, each is decoded once."""
        if self.on_bad == "error":
            return clips
        if self.clips == "features":
            there = set(self._open(medium, None).ids)
            clips = [clip for clip in clips if clip.name in there]
        side = self._open(medium, [clip.name for clip in clips])
        return [clip for position, clip in enumerate(clips) if _decodes(side, position)]

    def _read(self, split: str) -> tuple[list[Clip], Sources]:
        problems: list[Problem] = []
        clips = read_vggsound(dataset_root(self.root, "vggsound") / ANNOTATIONS, split, problems.append)
        names = [clip.name for clip in clips]
        asked, found = (clip_files(self._folder, self.clips, medium, names) for medium in self.sides)
        if self.clips == "features":
            for medium in self.sides:
                with reporting(problems.append):
                    self._open(medium, names if self.on_bad == "error" else None)
        sources = Sources(
            where=f"vggsound/{split}",
            names=list({**asked, **found}),
            queries=[
                Query(name, {"reference": (one,), "target": (other,)})
                for name, one, other in zip(names, asked, found, strict=True)
            ],
            n_gallery=len(clips),
            listed_in=ANNOTATIONS,
            paths={} if self.clips == "features" else {**asked, **found},
            problems=problems,
            skip_bad=self.on_bad == "skip",
            what="sounds or videos",
        )
        return clips, sources


def _group(clip: Clip, relevant: str) -> str:
    return clip.label if relevant == "label" else clip.name


def _decodes(side: ImageSet, position: int) -> bool:
    try:
        side.load(position)
    except DataError:
        return False
    return True

"""Image–text models that are talked to: LLaVA, Mllama, Qwen-VL, SmolVLM and their like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from requery.errors import ConfigError
from requery.generation.generator import Answer, Prompt
from requery.generation.local import LocalGenerator, read
from requery.generation.request import Sampling


class TransformersGenerator(LocalGenerator):
    r"""A model of `AutoModelForImageTextToText` and its processor.

    Dialogues are written by the checkpoint's chat template; where it has none, as LLaVA-1.5's
    `USER: <image>\n… ASSISTANT:`.

    Args:
        model: the model.
        processor: its processor.
        name: what people call it.
        identity: see `Generator`.
        batch_size: prompts at a time.
    """

    takes_prompts = True

    def __init__(
        self, model: Any, processor: Any, name: str, identity: dict[str, str | None], batch_size: int = 8
    ) -> None:
        super().__init__(model, name, identity, batch_size)
        self.processor, self.tokenizer = processor, processor.tokenizer
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        settings = self.model.generation_config
        settings.pad_token_id = self.tokenizer.pad_token_id
        if settings.eos_token_id is None:
            settings.eos_token_id = self.tokenizer.eos_token_id

    def answer(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Answer]:
        """Answer each prompt; those with an image and those without, and those of as many turns, together.

        Raises:
            ConfigError: a prompt has no words.
        """
        kinds: dict[tuple[bool, int], list[int]] = {}
        for place, prompt in enumerate(prompts):
            kinds.setdefault((prompt.image is None, len(prompt.turns)), []).append(place)
        out: dict[int, Answer] = {}
        for (_, turns), places in kinds.items():
            if turns == 0:
                raise ConfigError(f"{self.name} must be asked in words; give the request a turn")
            out |= zip(places, super().answer([prompts[p] for p in places], sampling), strict=True)
        return [out[place] for place in range(len(prompts))]

    def answer_batch(self, prompts: list[Prompt], sampling: Sampling) -> list[tuple[str, int]]:
        """Lead the dialogues, all of as many turns, one turn of all of them at a time."""
        said: list[list[str]] = [[] for _ in prompts]
        counts = [0] * len(prompts)
        for turn in range(len(prompts[0].turns)):
            texts = [self.dialogue(prompt, heard) for prompt, heard in zip(prompts, said, strict=True)]
            inputs = self.inputs(texts, prompts)
            tokens = self.decode(inputs, prompts, sampling, turn)[:, inputs["input_ids"].shape[1] :]
            for row, (text, count) in enumerate(
                read(self.tokenizer, tokens, self.model.generation_config.eos_token_id)
            ):
                said[row].append(text)
                counts[row] += count
        return [(heard[-1], count) for heard, count in zip(said, counts, strict=True)]

    def dialogue(self, prompt: Prompt, said: Sequence[str]) -> str:
        """The text that asks for the answer after those in `said`."""
        messages: list[dict[str, Any]] = []
        for turn, text in enumerate(prompt.turns[: len(said) + 1]):
            words = {"type": "text", "text": text}
            shown = [{"type": "image"}] if turn == 0 and prompt.image is not None else []
            messages.append({"role": "user", "content": [*shown, words]})
            if turn < len(said):
                messages.append({"role": "assistant", "content": [{"type": "text", "text": said[turn]}]})
        template = getattr(self.processor, "chat_template", None) or self.tokenizer.chat_template
        if template is None:
            return llava(messages, getattr(self.processor, "image_token", "<image>"))
        text = self.processor.apply_chat_template(
            messages, chat_template=template, add_generation_prompt=True, tokenize=False
        )
        return str(text)

    def inputs(self, texts: list[str], prompts: list[Prompt]) -> dict[str, Any]:
        """Tensors of `B` dialogues, all with an image or all without, padded on the left."""
        begun = self.tokenizer.bos_token is not None and texts[0].startswith(self.tokenizer.bos_token)
        images = {} if prompts[0].image is None else {"images": [[prompt.image] for prompt in prompts]}
        batch = self.processor(
            text=texts, **images, padding=True, add_special_tokens=not begun, return_tensors="pt"
        )
        return dict(batch.to(self.model.device, dtype=self.model.dtype))


def llava(messages: Sequence[dict[str, Any]], image_token: str) -> str:
    """A dialogue in LLaVA-1.5's words, up to where the assistant's next answer begins."""
    parts = []
    for message in messages:
        shown = [
            f"{image_token}\n" if part["type"] == "image" else part["text"] for part in message["content"]
        ]
        parts.append(f"{message['role'].upper()}: {''.join(shown)}")
    return " ".join([*parts, "ASSISTANT:"])

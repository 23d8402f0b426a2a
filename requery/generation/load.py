"""Load a generator from a checkpoint folder or a hub repository at a pinned commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from requery.backbones import BROKEN
from requery.backbones.source import read_json, resolve
from requery.errors import ConfigError, DataError, first
from requery.generation.captioner import Captioner
from requery.generation.chat import TransformersGenerator
from requery.generation.four_bit import in_four_bits
from requery.generation.generator import CAPTIONER
from requery.generation.local import Dtype, LocalGenerator, folder_digest, placed

CAPTIONERS = ("blip", "vision-encoder-decoder")
"""`model_type` of what captions images without a prompt."""


def load_generator(
    source: str,
    revision: str | None = None,
    adapter: str | None = None,
    batch_size: int = 8,
    device: str = "auto",
    dtype: Dtype | None = None,
    four_bit: bool = False,
) -> LocalGenerator:
    """Load a captioner or an image–text model that is talked to.

    Images are prepared by the checkpoint's settings on Pillow, the same on every machine. The identity is
    that of the files' contents, so a store made with a hub checkpoint serves a copy of its folder.

    Args:
        source: a checkpoint folder, or a hub id `owner/name`.
        revision: the hub repository's commit hash; required for a hub id.
        adapter: folder of a LoRA adapter (PEFT), put on the model.
        batch_size: prompts at a time.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1` …
        dtype: of weights and arithmetic; default bfloat16 on a GPU, float32 elsewhere.
        four_bit: the language model's weights in 4 bits (NF4), on a GPU.

    Raises:
        ConfigError: a hub id without a commit, an architecture that does not write text about images, 4 bits
            without a GPU, or a package that it or the adapter needs is absent (torchvision for video, peft,
            bitsandbytes).
        DataError: the files are missing or broken.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = resolve(source, revision)
    kind = read_json(folder / "config.json").get("model_type")
    where, number = placed(device, dtype)
    try:
        model = _model(folder, kind, number, in_four_bits(where, number) if four_bit else {})
        if adapter is not None:
            model.load_adapter(adapter)
        if not four_bit:
            model.to(where)
        return _generator(folder, Path(source).name, model, adapter, batch_size, four_bit)
    except ImportError as error:
        lacking = " ".join(str(error).split())[:200]
        raise ConfigError(f"{folder}: {lacking} (or serve the model: EndpointGenerator)") from error
    except BROKEN as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"{folder}: the generator cannot be read ({reason}); it needs its settings, its tokenizer, its "
            "image processor and its weights as safetensors: download it again"
        ) from error


def _model(folder: Path, kind: Any, dtype: Any, options: dict[str, Any]) -> Any:
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    if kind not in KNOWN:
        raise ConfigError(f"{folder}/config.json: model_type {kind!r} writes no text about images")
    loader: Any = transformers.AutoModelForImageTextToText
    model, found = loader.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        **options,
    )
    if found["missing_keys"]:
        lost = first(sorted(found["missing_keys"]))
        raise DataError(f"{folder}: its safetensors lack {lost}; download it again")
    return model


def _generator(
    folder: Path, name: str, model: Any, adapter: str | None, batch_size: int, four_bit: bool
) -> LocalGenerator:
    import transformers

    auto: Any = transformers  # its loaders carry no types
    captions = model.config.model_type in CAPTIONERS
    identity = {
        "kind": CAPTIONER if captions else "chat",
        "model": type(model).__name__,
        "files": folder_digest(folder),
        "adapter": None if adapter is None else folder_digest(Path(adapter)),
        "dtype": "nf4" if four_bit else str(model.dtype).removeprefix("torch."),
    }
    images = auto.AutoImageProcessor.from_pretrained(folder, backend="pil", trust_remote_code=False)
    if captions:
        tokenizer = auto.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Captioner(model, images, tokenizer, name, identity, batch_size)
    processor = auto.AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    processor.image_processor = images
    return TransformersGenerator(model, processor, name, identity, batch_size)

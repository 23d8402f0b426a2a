"""A small byte-level BPE tokenizer, learnt from texts: any string is made of its tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"


def learn_tokenizer(texts: Iterable[str], vocabulary: int, max_text: int) -> Any:
    """Learn a tokenizer; lower case, `<bos> … <eos>` around each text.

    Args:
        texts: training texts.
        vocabulary: tokens in all (256 bytes and 4 marks included).
        max_text: longest text in tokens.

    Returns:
        A `PreTrainedTokenizerFast`.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    marks = [PAD, BOS, EOS, UNK]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
        ),
    )
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(BOS, marks.index(BOS)), (EOS, marks.index(EOS))]
    )
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        model_max_length=max_text,
    )

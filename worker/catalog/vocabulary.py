"""The tokenizer files of a model folder, from a GGUF file's vocabulary. Pure; format: Hugging Face tokenizers 1.0."""

from .gguf import Header

Json = dict[str, object]


def tokenizer_json(header: Header) -> Json:
    """Write tokenizer.json: byte-level BPE, each control token whole, and for `smollm` each digit by itself."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(i, header.tokens[i]) for i in header.special_ids],
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer(header.vocabulary_split),
        "post_processor": None,
        "decoder": _byte_level(add_prefix_space=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(header.tokens)},
            "merges": [merge.split(" ") for merge in header.merges],
        },
    }


def tokenizer_config(header: Header) -> Json:
    """Write tokenizer_config.json. Its class keeps tokenizer.json as it is; the model's own would build another."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": header.tokens[header.bos_id],
        "eos_token": header.tokens[header.eos_id],
        "pad_token": header.tokens[header.eos_id],
        "model_max_length": header.context_tokens,
        "clean_up_tokenization_spaces": False,
    }


def _pre_tokenizer(split: str) -> Json:
    byte_level = _byte_level(add_prefix_space=False)
    if split != "smollm":
        return byte_level
    return {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]}


def _byte_level(*, add_prefix_space: bool) -> Json:
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": True}


def _special(token_id: int, content: str) -> Json:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token_id, "content": content, **flags}

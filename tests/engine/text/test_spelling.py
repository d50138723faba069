"""The bytes of ids: joined, they are those of the text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from mlx_lm.tokenizer_utils import SPMStreamingDetokenizer, TokenizerWrapper
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from worker.engine.text.spelling import spelling_of
from worker.engine.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def sentencepiece() -> Tokenizer:
    """A tokenizer as SentencePiece makes them: a few words, and bytes for all other characters."""
    words = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "안", "ab"]
    vocabulary = {word: token for token, word in enumerate(words)}
    backend = Backend(models.BPE(vocabulary, [("a", "b")], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    inner = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>")
    wrapper: Any = TokenizerWrapper
    return Tokenizer(wrapper(inner, SPMStreamingDetokenizer))


def joined(tokenizer: Tokenizer, text: str) -> bytes:
    """The bytes of all ids of a text."""
    return b"".join(map(tokenizer.bytes_of, tokenizer.encode(text)))


@hypothesis_settings(max_examples=200, deadline=None)
@given(text=some.text("ab1 \n\t값싼옷ㅎé中👩\u200d🚀\u0301"))  # the vocabulary lacks some bytes
def test_byte_level_ids_have_their_texts_bytes(tokenizer: Tokenizer, text: str) -> None:
    """Whatever a character's bytes are split into."""
    assert joined(tokenizer, text) == text.encode()


def test_every_byte_has_its_letter() -> None:
    """The alphabet of byte-level vocabularies is read as the library that writes it means it."""
    spelling = spelling_of(["Ġ"])

    assert spelling
    read = {spelling(letter, is_added=False) for letter in ByteLevel.alphabet()}
    assert read == {bytes([byte]) for byte in range(256)}


@hypothesis_settings(max_examples=200, deadline=None)
@given(text=some.text(some.characters(codec="utf-8", exclude_characters="▁")))
def test_sentencepieces_ids_have_their_texts_bytes(sentencepiece: Tokenizer, text: str) -> None:
    """Words with their blanks, and characters that have no piece."""
    assert joined(sentencepiece, text) == text.encode()


def test_a_syllable_may_be_several_ids(tokenizer: Tokenizer) -> None:
    """None of which is text by itself."""
    ids = tokenizer.encode("값")

    assert len(ids) > 1
    assert all("\ufffd" in tokenizer.bytes_of(token).decode(errors="replace") for token in ids)
    assert joined(tokenizer, "값") == "값".encode()


def test_a_marker_is_spelled_as_it_is_written(tokenizer: Tokenizer) -> None:
    """What was added to a vocabulary is text, and no letters that stand for bytes."""
    spelling = spelling_of(["Ġ"])

    assert {tokenizer.bytes_of(end) for end in tokenizer.ends} >= {b"<|im_end|>"}
    assert spelling
    assert spelling("<｜é▁끝｜>", is_added=True) == "<｜é▁끝｜>".encode()
    assert spelling("ĠÃ©", is_added=False) == " é".encode()


def test_an_id_without_text_has_no_bytes(tokenizer: Tokenizer) -> None:
    """Models are padded with such ids."""
    assert tokenizer.bytes_of(59_999) == b""


def test_a_vocabulary_of_neither_kind_is_decoded() -> None:
    """Nothing can be said of the bytes of its pieces but what the tokenizer says."""
    backend = Backend(models.WordLevel({"<unk>": 0, "안녕": 1, "</s>": 2}, unk_token="<unk>"))
    inner = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>")

    assert Tokenizer(TokenizerWrapper(inner)).bytes_of(1) == "안녕".encode()

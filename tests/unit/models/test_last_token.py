"""States at the last token: batched with padding as one by one without, whatever id the padding has."""

import numpy as np
import pytest
import torch

from tutelage.errors import DataError
from tutelage.models import load
from tutelage.models.last_token import last_token_features


@pytest.fixture(scope="module")
def loaded(tiny_model_dir):
    return load(str(tiny_model_dir), device="cpu")


def test_a_batch_gives_what_each_text_gives_alone(loaded):
    texts = ["one", "a much longer text with many words in it", "two words", "!", "one"]
    found = last_token_features(loaded, texts, batch_size=3)
    for text, row in zip(texts, found, strict=True):
        ids = torch.tensor([loaded.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            states = loaded.model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
        assert np.allclose(row, states[0, -1].float().numpy(), atol=1e-5)
    assert np.allclose(found[0], found[4], atol=1e-6)
    assert not np.allclose(found[0], found[2], atol=1e-3)


def test_of_long_texts_the_end_is_read(loaded):
    long, cut = "a b c d e f g h", loaded.tokenizer("a b c d e f g h")["input_ids"][-3:]
    with torch.no_grad():
        states = loaded.model.get_decoder()(input_ids=torch.tensor([cut])).last_hidden_state
    assert np.allclose(last_token_features(loaded, [long], max_tokens=3)[0], states[0, -1].numpy(), atol=1e-5)


def test_a_text_without_tokens_is_refused(loaded):
    if len(loaded.tokenizer("")["input_ids"]) == 0:
        with pytest.raises(DataError, match="text 1"):
            last_token_features(loaded, ["a", ""])
    assert last_token_features(loaded, []).shape == (0, 0)

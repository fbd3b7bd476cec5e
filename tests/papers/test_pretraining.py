from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import SPREAD, WINDOW, BaseSettings, kept_folder, pretrained, tokenised
from tutelage.training.midtraining import document_examples

TINY = BaseSettings(width=64, layers=1, heads=2, inner=64, steps=1, batch_size=2, learning_rate=1e-9)
EXERCISES = [Exercise(f"e{n}", "copy", f"say {n}", f" {n}") for n in range(8)]


def test_the_weights_have_the_spread_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path))
    for spread in (SPREAD, 0.1):
        model = pretrained("copy", EXERCISES, TINY, spread=spread).model
        weights = model.model.layers[0].self_attn.q_proj.weight
        assert abs(weights.std().item() / spread - 1) < 0.05


def test_a_model_is_kept_under_its_spread_and_under_the_old_name_at_the_usual_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path))
    for spread in (SPREAD, 0.1):
        pretrained("copy", EXERCISES, TINY, spread=spread)
    usual = kept_folder("copy", TINY, [None, [vars(one) for one in EXERCISES]], WINDOW)
    assert usual.exists()
    assert len(list(usual.parent.glob("copy-*"))) == 2


def test_a_row_without_a_prompt_is_the_document_that_midtraining_reads(tiny):
    rows = tokenised([("a", "say 1", " 1"), ("b", "", "Spring is early.")], tiny.tokenizer)
    (document,) = document_examples({"b": "Spring is early."}, tiny.tokenizer, window=WINDOW)
    assert rows[1].prompt == document.prompt
    assert rows[1].completion[: len(document.completion) - 1] == document.completion[:-1]
    assert len(rows[0].prompt) > 1

"""Controls against plain forwards of the same model, and against PEFT's own reading of what is exported."""

import copy

import pytest
import torch
from peft import PeftModel

from tutelage.errors import ConfigError, ModelError, RegistryError
from tutelage.models.control_decoding import generate
from tutelage.models.controls import ControlSet, ControlSettings, load_controls
from tutelage.models.rollout import sample
from tutelage.types import Sampling, TokenSequence

KINDS = ("prompt", "lora")
SMALL = {"prompt": ControlSettings("prompt", tokens=5), "lora": ControlSettings("lora", rank=3)}
PROMPTS = [[5, 9, 30], [7, 8, 9, 10, 11, 12, 13, 14], [3, 40]]


def made(loaded, kind, attributes=("good", "bad")):
    """Controls that differ: LoRA's B is zero at the start, so both kinds get noise."""
    found = ControlSet(loaded.model, attributes, SMALL[kind], seed=3)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one in found.parameters():
            one += 0.3 * torch.randn(one.shape, generator=draw)
    return found


def plain_logits(controls, attribute, ids):
    with torch.no_grad(), controls.using(attribute):
        whole = [*controls.ids(attribute), *ids]
        return controls.model(input_ids=torch.tensor([whole])).logits[0, len(whole) - len(ids) :]


@pytest.mark.parametrize("kind", KINDS)
def test_controls_change_what_is_said_and_differ(tiny, kind):
    before = copy.deepcopy(tiny.model)
    controls = made(tiny, kind)
    ids = PROMPTS[1]
    good, bad = (plain_logits(controls, name, ids) for name in ("good", "bad"))
    base = before(input_ids=torch.tensor([ids])).logits[0].detach()
    assert (good - bad).abs().max() > 1e-2
    assert (good - base).abs().max() > 1e-2
    assert good.shape == base.shape  # no control can be said


def test_a_soft_prompt_is_its_vectors_before_the_prompt(tiny):
    controls = made(tiny, "prompt")
    table = tiny.model.get_input_embeddings()
    vectors = torch.cat([table.control[5:10], table.base(torch.tensor(PROMPTS[0]))])[None]
    with torch.no_grad():
        expected = tiny.model(inputs_embeds=vectors).logits[0, 5:]
    torch.testing.assert_close(plain_logits(controls, "bad", PROMPTS[0]), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(tiny, kind):
    controls = made(tiny, kind)
    rows = [[*controls.ids("good"), *prompt] for prompt in PROMPTS]
    longest = max(map(len, rows))
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    with torch.no_grad(), controls.using("good"):
        padded = controls.model(
            input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp_min(0)
        ).logits[:, -1]
    for row, prompt in zip(padded, PROMPTS, strict=True):
        torch.testing.assert_close(row, plain_logits(controls, "good", prompt)[-1], rtol=1e-4, atol=1e-4)
    together = generate_greedy(controls, "good", PROMPTS)
    alone = [generate_greedy(controls, "good", [prompt])[0] for prompt in PROMPTS]
    assert together == alone


def generate_greedy(controls, control, prompts, **more):
    drawn = generate(
        controls,
        None,
        prompts,
        control=control,
        sampling=Sampling(6, 0.0),
        seeds=[0] * len(prompts),
        stop_ids=(),
        **more,
    )
    return [list(one.token_ids) for one in drawn]


@pytest.mark.parametrize("kind", KINDS)
def test_contrast_is_that_of_whole_forwards(tiny, kind):
    controls, weight = made(tiny, kind), 1.5
    expected = []
    for prompt in PROMPTS:
        ids = list(prompt)
        for _ in range(6):
            good, bad = (plain_logits(controls, name, ids)[-1].double().log_softmax(-1) for name in ("good", "bad"))
            ids.append(int((good + weight * (good - bad)).argmax()))
        expected.append(ids[len(prompt) :])
    found = generate_greedy(controls, "good", PROMPTS, contrast=weight)
    assert found == expected
    assert found != generate_greedy(controls, "good", PROMPTS)
    assert generate_greedy(controls, "good", PROMPTS, contrast=1e-9) == generate_greedy(controls, "good", PROMPTS)


def test_rows_that_end_at_different_times_stay_apart_under_contrast(tiny):
    controls = made(tiny, "prompt")
    whole = generate_greedy(controls, "good", PROMPTS, contrast=1.0)
    stop = whole[0][2]
    cut = generate(
        controls,
        None,
        PROMPTS,
        control="good",
        sampling=Sampling(6, 0.0),
        seeds=[0] * 3,
        stop_ids=(stop,),
        contrast=1.0,
    )
    for one, full in zip(cut, whole, strict=True):
        assert list(one.token_ids) == full[: full.index(stop) + 1] if stop in full else full


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_plain_forward(tiny, kind):
    controls = made(tiny, kind)
    ids = tuple(PROMPTS[1])
    (found,) = controls.score([TokenSequence(ids, 3)], "bad")
    logprobs = plain_logits(controls, "bad", ids).log_softmax(-1)
    expected = torch.stack([logprobs[i - 1, ids[i]] for i in range(3, len(ids))])
    torch.testing.assert_close(torch.tensor(found.logprobs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_peft_and_we_ourselves_read_what_is_exported(tiny, kind, tmp_path):
    plain = copy.deepcopy(tiny.model)
    controls = made(tiny, kind)
    controls.export(tmp_path)
    again = load_controls(copy.deepcopy(plain), tmp_path)
    for name in ("good", "bad"):
        expected = plain_logits(controls, name, PROMPTS[1])
        torch.testing.assert_close(plain_logits(again, name, PROMPTS[1]), expected, rtol=0, atol=0)
        theirs = PeftModel.from_pretrained(copy.deepcopy(plain), str(tmp_path / name))
        with torch.no_grad():
            found = theirs(input_ids=torch.tensor([PROMPTS[1]])).logits[0, -len(PROMPTS[1]) :]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_given_back_without_its_controls(tiny, kind):
    before = copy.deepcopy(tiny.model)
    controls = made(tiny, kind)
    ids = torch.tensor([PROMPTS[1]])
    plain = controls.plain_model()
    assert torch.equal(plain(input_ids=ids).logits, before(input_ids=ids).logits)
    assert set(plain.state_dict()) == set(before.state_dict())
    assert plain.get_input_embeddings().weight is plain.get_output_embeddings().weight


def test_a_text_can_be_where_a_soft_prompt_begins(tiny):
    settings = ControlSettings("prompt", tokens=5, initial={"good": [4, 5]})
    controls = ControlSet(tiny.model, ("good", "bad"), settings)
    table = tiny.model.get_input_embeddings()
    assert torch.equal(table.control[:5], table.base.weight[[4, 5, 4, 5, 4]])
    assert sample(tiny.model, tiny.tokenizer, [[*controls.ids("good"), 3]], Sampling(2), [0], ())


def test_an_unknown_attribute_names_the_known_ones(tiny):
    controls = made(tiny, "prompt")
    for call in (
        lambda: controls.ids("terse"),
        lambda: generate_greedy(controls, "terse", PROMPTS),
        lambda: generate_greedy(controls, "good", PROMPTS, contrast=1.0, against="terse"),
    ):
        with pytest.raises(RegistryError) as error:
            call()
        assert "good, bad" in error.value.hint
    with pytest.raises(ConfigError, match="itself"):
        generate_greedy(controls, "good", PROMPTS, contrast=1.0, against="good")


def test_three_attributes_must_say_against_which(tiny):
    controls = made(tiny, "lora", ("short", "long", "rude"))
    with pytest.raises(ConfigError, match="against which"):
        generate_greedy(controls, "short", PROMPTS, contrast=1.0)
    assert generate_greedy(controls, "short", PROMPTS, contrast=1.0, against="rude")


def test_what_cannot_be_controls_is_refused(tiny, tmp_path):
    for attributes in (("good",), ("good", "good"), ("good", "a/b")):
        with pytest.raises(ConfigError):
            ControlSet(tiny.model, attributes)
    with pytest.raises(ConfigError):
        ControlSettings("prefix")
    with pytest.raises(ModelError):
        load_controls(tiny.model, tmp_path)
    made(tiny, "prompt")
    with pytest.raises(ModelError, match="already"):
        made(tiny, "prompt")

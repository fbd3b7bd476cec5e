"""Any value of any configuration comes back from TOML and from plain dicts."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tutelage.config import dump_toml, from_dict, load, to_dict
from tutelage.config.toml_file import key_lines

floats = st.floats(allow_nan=True) | st.integers(-(10**6), 10**6).map(float)
texts = st.text(max_size=12) | st.sampled_from(["none", "true", "1e-5", "", '"""', "'''", "[a]", "a = 1", "nan"])
ints = st.integers(-(2**70), 2**70)


@dataclass(frozen=True)
class Inner:
    number: float = 1.0
    text: str = "text"
    maybe: int | None = 3


@dataclass(frozen=True)
class Everything:
    flag: bool = True
    whole: int = 1
    number: float = 0.5
    text: str = "x"
    choice: Literal["a", "none", 1, True] = "a"
    place: Path = Path("x")
    maybe_number: float | None = 1.0
    maybe_text: str | None = "x"
    either: int | float | str | None = 0
    numbers: tuple[float, ...] = (1.0,)
    pair: tuple[int, str] = (1, "a")
    maybes: tuple[str | None, ...] = ("x",)
    nested: tuple[tuple[int, ...], ...] = ()
    table: dict[str, int | None] = dataclasses.field(default_factory=lambda: {"a": 1})
    tables: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    inner: Inner = Inner(text="default of the owner")
    maybe_inner: Inner | None = Inner()
    inners: tuple[Inner, ...] = ()
    anything: Any = 5


inners = st.builds(Inner, number=floats, text=texts, maybe=st.none() | ints)
plain = st.recursive(
    st.none() | st.booleans() | ints | floats | texts,
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3).filter(lambda d: d != {"none": True})
    ),
    max_leaves=6,
)
everything = st.builds(
    Everything,
    flag=st.booleans(),
    whole=ints,
    number=floats,
    text=texts,
    choice=st.sampled_from(["a", "none", 1, True]),
    place=texts.map(lambda text: Path("p" + text.replace("\0", ""))),
    maybe_number=st.none() | floats,
    maybe_text=st.none() | texts,
    either=st.none() | ints | floats | texts,
    numbers=st.lists(floats, max_size=3).map(tuple),
    pair=st.tuples(ints, texts),
    maybes=st.lists(st.none() | texts, max_size=3).map(tuple),
    nested=st.lists(st.lists(ints, max_size=2).map(tuple), max_size=2).map(tuple),
    table=st.dictionaries(texts, st.none() | ints, max_size=3),
    tables=st.dictionaries(texts, st.dictionaries(texts, texts, max_size=2), max_size=2),
    inner=inners,
    maybe_inner=st.none() | inners,
    inners=st.lists(inners, max_size=2).map(tuple),
    anything=plain,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of one type, NaN equal to NaN and -0.0 different from 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def load_text(text: str) -> Everything:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.toml")
        file.write_bytes(text.encode())
        return load(Everything, file).value


@settings(max_examples=25, deadline=None)
@given(everything)
@example(Everything(maybe_text=None, anything={"a": [None, {"none": None}]}, table={"none": None}))
def test_toml_gives_the_value_back(value: Everything) -> None:
    text = dump_toml(value)
    assert same(load_text(text), value)
    assert dump_toml(load_text(text)) == text


@settings(max_examples=25, deadline=None)
@given(everything)
def test_dicts_give_the_value_back(value: Everything) -> None:
    assert same(from_dict(Everything, to_dict(value)), value)


@settings(max_examples=25, deadline=None)
@given(everything)
def test_every_key_is_found_on_its_line(value: Everything) -> None:
    text = dump_toml(value)
    found = {path: line for path, line in key_lines(text).items() if len(path) == 1}
    # In this layout a key stands at the start of its line, and no line end survives inside a value.
    lines = text.split("\n")
    for (name,), line in found.items():
        assert lines[line - 1].lstrip("[").startswith(name)
    assert {name for (name,) in found} == {f.name for f in dataclasses.fields(Everything)}


@settings(max_examples=60, deadline=None)
@given(texts)
def test_a_text_override_is_the_text_or_its_toml(text: str) -> None:
    given_text = text.strip()
    value = load(Everything, overrides=[f"text={text}"]).value.text
    try:
        parsed = tomllib.loads(f"v = {given_text}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    quoted = "\n" not in given_text and set(parsed) == {"v"} and isinstance(parsed["v"], str)
    assert value == (parsed["v"] if quoted else given_text)

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from tutelage.config import describe, dump_toml, from_dict, load, to_dict
from tutelage.errors import ConfigError, RangeError


@dataclass(frozen=True)
class Lora:
    rank: int = field(default=8, metadata={"help": "rank of the update"})
    alpha: float = 16.0
    targets: tuple[str, ...] = ("q", "v")


@dataclass(frozen=True)
class Stage:
    name: str
    keep: bool = True

    def __post_init__(self) -> None:
        if self.name == "refused":
            raise RangeError("the stage may not be called that", hint="choose another name")


@dataclass(frozen=True)
class Run:
    model: str = "small"
    seed: int = 0
    rate: float = 1e-4
    greedy: bool = False
    mode: Literal["raft", "sft", 3] = "raft"
    lora: Lora | None = field(default_factory=lambda: Lora(rank=4))
    stage: Stage = Stage("first")
    cap: float | None = 1.0
    note: str | None = "note"
    threads: int | Literal["auto"] = "auto"
    out: Path = Path("runs")
    pair: tuple[int, str] = (1, "a")
    stages: list[Stage] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    anything: Any = None


@dataclass(frozen=True)
class Strict:
    name: str
    size: int


Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return make


def refusal(path: Path | None, *overrides: str, flags: dict[str, object] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(Run, path, overrides, flags or {})
    return caught.value


def test_defaults() -> None:
    resolved = load(Run)
    assert resolved.value == Run()
    assert set(resolved.origins.values()) == {"default"}
    assert {"lora.rank", "stage.name", "weights", "seed"} <= set(resolved.origins)
    assert "lora" not in resolved.origins
    with pytest.raises(FrozenInstanceError):
        resolved.value.seed = 3  # type: ignore[misc]


def test_later_sources_win_and_every_value_knows_its_own(write: Write) -> None:
    file = write("run.toml", "seed = 1\nrate = 2\n[lora]\nalpha = 1.0\ntargets = [\n  'k',\n]\n[weights]\na = 1\n")
    resolved = load(Run, file, ["rate=3e-5", "weights.b=2", "seed=2"], {"seed": 3, "model": None, "lora.rank": 5})
    assert resolved.value == Run(
        seed=3, rate=3e-5, lora=Lora(rank=5, alpha=1.0, targets=("k",)), weights={"a": 1.0, "b": 2.0}
    )
    assert isinstance(resolved.value.weights["a"], float)
    expected = {
        "seed": "flag",
        "rate": "set",
        "lora.rank": "flag",
        "lora.alpha": "file:4",
        "lora.targets": "file:5",
        "weights": "set",
        "model": "default",
    }
    assert {key: resolved.origins[key] for key in expected} == expected


def test_what_a_section_does_not_say_comes_from_the_default_of_its_owner() -> None:
    assert load(Run, overrides=["lora.alpha=2"]).value.lora == Lora(rank=4, alpha=2.0)


def test_toml_and_yaml_say_the_same(write: Write) -> None:
    toml = write(
        "a.toml",
        'model = "m"\nrate = 1e-5\ngreedy = true\nmode = 3\ncap = "none"\nnote = { none = true }\nthreads = 2\n'
        'out = "x/y"\npair = [2, "b"]\nstages = [{ name = "s", keep = false }]\nweights = { a = 1 }\n'
        "[lora]\nrank = 2\n",
    )
    yaml = write(
        "a.yaml",
        "model: m\nrate: 1e-5\ngreedy: true\nmode: 3\ncap: null\nnote: ~\nthreads: 2\nout: x/y\npair: [2, b]\n"
        "stages:\n- name: s\n  keep: false\nweights: {a: 1}\nlora:\n  rank: 2\n",
    )
    value = Run("m", 0, 1e-5, True, 3, Lora(2), Stage("first"), None, None, 2, Path("x/y"), (2, "b"))
    value.stages.append(Stage("s", False))
    value.weights["a"] = 1.0
    assert load(Run, toml).value == load(Run, yaml).value == value
    assert load(Run, yaml).origins["lora.rank"] == "file:15"
    assert load(Run, yaml).origins["stages"] == "file:10"


def test_a_section_can_be_emptied(write: Write) -> None:
    assert load(Run, write("a.toml", 'lora = "none"')).value.lora is None
    assert load(Run, write("a.yaml", "lora: null")).value.lora is None
    assert load(Run, overrides=["lora=none", "cap=none", "note=none"]).value == Run(lora=None, cap=None, note=None)


@pytest.mark.parametrize(
    ("text", "field_name", "value"),
    [
        ("model=base", "model", "base"),
        ("model=true", "model", "true"),
        ("model=3", "model", "3"),
        ('model="a b"', "model", "a b"),
        ("model=", "model", ""),
        ("model=a=b", "model", "a=b"),
        ("model=${HOME}/$USER/~", "model", "${HOME}/$USER/~"),
        ('model=x"\nseed = 9 #', "model", 'x"\nseed = 9 #'),
        ('note="none"', "note", "none"),
        (" seed = 7 ", "seed", 7),
        ("rate=1", "rate", 1.0),
        ("rate=1e-5", "rate", 1e-5),
        ("rate=inf", "rate", math.inf),
        ("greedy=true", "greedy", True),
        ("threads=auto", "threads", "auto"),
        ("threads=4", "threads", 4),
        ("mode=3", "mode", 3),
        ("mode=sft", "mode", "sft"),
        ("out=a/b", "out", Path("a/b")),
        ('pair=[5, "x"]', "pair", (5, "x")),
        ("weights={a = 1}", "weights", {"a": 1.0}),
        ("anything=[1, 2]", "anything", [1, 2]),
        ("anything.x.y=q", "anything", {"x": {"y": "q"}}),
    ],
)
def test_overrides_read_by_the_type_of_the_field(text: str, field_name: str, value: object) -> None:
    result = load(Run, overrides=[text]).value
    assert getattr(result, field_name) == value
    assert type(getattr(result, field_name)) is type(value)
    assert result.seed == (7 if "seed = 7" in text else 0)


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("\nsede = 1", 2, "unknown key 'sede'", "did you mean 'seed'?"),
        ("\n[lora]\n\nrnak = 1", 4, "unknown key 'lora.rnak'", "did you mean 'lora.rank'?"),
        ("[lroa]\nrank = 1", 1, "unknown key 'lroa'", "did you mean 'lora'?"),
        ("lora.q.z = 1", 1, "unknown key 'lora.q'", "there are: alpha, rank, targets"),
        ("a = '''\nb = 1\n'''\nzzz = 1", 1, "unknown key 'a'", None),
        ("seed = 'x'", 1, "'seed' must be a whole number, not 'x'", None),
        ("seed = true", 1, "'seed' must be a whole number, not True", None),
        ("seed = 1.0", 1, "'seed' must be a whole number, not 1.0", None),
        ("seed = '3'", 1, "'seed' must be a whole number", None),
        ("rate = true", 1, "'rate' must be a number, not True", None),
        ("rate = 'fast'", 1, "'rate' must be a number, not 'fast'", None),
        ("rate = 1" + "0" * 400, 1, "'rate' must be a number", None),
        ("greedy = 1", 1, "'greedy' must be true or false, not 1", None),
        ("greedy = 'true'", 1, "'greedy' must be true or false", "without quotes"),
        ("model = 3", 1, "'model' must be text, not 3", "quotes"),
        ("model = 2020-01-01", 1, "'model' must be text", None),
        ("mode = 'rafd'", 1, "'mode' cannot be 'rafd'", "did you mean 'raft'?"),
        ("mode = 3.0", 1, "'mode' cannot be 3.0", "possible are"),
        ("lora = 3", 1, "'lora' must be a section or none, not 3", None),
        ("lora = [1]", 1, "'lora' must be a section or none", None),
        ("stage = 'x'", 1, "'stage' must be a section", None),
        ("seed = {a = 1}", 1, "'seed' must be a whole number", None),
        ("[seed]\na = 1", 1, "'seed' must be a whole number", None),
        ("cap = 'lots'", 1, "'cap' must be a number or none", None),
        ("threads = 'car'", 1, "'threads' must be a whole number or 'auto'", None),
        ("pair = [1]", 1, "'pair' must have 2 values, not 1", None),
        ("pair = ['a', 1]", 1, "'pair[0]' must be a whole number", None),
        ("lora.targets = 'q'", 1, "'lora.targets' must be a list", "write ["),
        ("lora.targets = ['q', 3]", 1, "'lora.targets[1]' must be text", None),
        ("stages = [{ name = 'a' }, { nam = 'b' }]", 1, "unknown key 'stages[1].nam'", "stages[1].name"),
        ("stages = [{ keep = true }]", 1, "'stages[0].name' is required", "give text"),
        ("weights = { a = 'x' }", 1, "'weights.a' must be a number", None),
        ("\nweights = [1]", 2, "'weights' must be a table", None),
        ("out = ''", 1, "'out' must be a path", None),
        ("\n\n[stage]\nname = 'refused'", 3, "the stage may not be called that", "choose another"),
        ("seed = 1\nseed = 2", 2, "not TOML", None),
        ("seed =", 1, "not TOML", None),
        ("a = [\n1,\n", 3, "not TOML", None),
    ],
)
def test_refusals_name_line_key_and_cure(write: Write, text: str, line: int, what: str, hint: str | None) -> None:
    file = write("run.toml", text)
    error = refusal(file)
    assert what in error.what
    assert str(error.where).startswith(f"{file}:{line}")
    assert not str(error.where)[len(f"{file}:{line}") :][:1].isdigit()
    assert hint is None or hint in str(error.hint)


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("seed", "not an override"),
        ("=3", "not an override"),
        ("lora..rank=3", "not an override"),
        ("sede=3", "unknown key 'sede'"),
        ("seed.x=3", "'seed' must be a whole number"),
        ("seed=x", "'seed' must be a whole number, not 'x'"),
        ("greedy=yes", "'greedy' must be true or false"),
        ("mode=x", "'mode' cannot be 'x'"),
    ],
)
def test_bad_overrides(override: str, what: str) -> None:
    error = refusal(None, override)
    assert what in error.what
    assert str(error.where).startswith("--set")


def test_a_bad_flag_is_named() -> None:
    error = refusal(None, flags={"lora.rank": "x"})
    assert (error.where, error.what) == ("--rank", "'lora.rank' must be a whole number, not 'x'")


def test_required_values(write: Write) -> None:
    with pytest.raises(ConfigError, match="'size' is required") as caught:
        load(Strict, write("a.toml", 'name = "x"'))
    assert str(caught.value.where).endswith("a.toml")
    with pytest.raises(ConfigError, match="'name' is required"):
        load(Strict)
    assert load(Strict, overrides=["name=x"], flags={"size": 3}).value == Strict("x", 3)


def test_files_that_cannot_be_configurations(tmp_path: Path, write: Write) -> None:
    write("run.toml", "")
    assert "did you mean" in str(refusal(tmp_path / "rum.toml").hint)
    assert "no such file" in refusal(tmp_path / "elsewhere" / "x.toml").what
    assert "'.json'" in refusal(write("a.json", "{}")).what
    assert "cannot be read" in refusal_folder(tmp_path)
    assert "256 KiB" in refusal(write("big.toml", "#" * 300_000)).what
    (tmp_path / "latin.toml").write_bytes(b"seed = 1\nmodel = '\xe9'\n")
    assert str(refusal(tmp_path / "latin.toml").where).endswith("latin.toml:2")


def refusal_folder(tmp_path: Path) -> str:
    (tmp_path / "folder.toml").mkdir()
    return refusal(tmp_path / "folder.toml").what


def test_a_byte_order_mark_and_windows_line_ends(write: Write) -> None:
    resolved = load(Run, write("a.toml", "\ufeff# first\r\n\r\nseed = 3\r\n[lora]\r\nrank = 1\r\n"))
    assert resolved.value == Run(seed=3, lora=Lora(rank=1))
    assert (resolved.origins["seed"], resolved.origins["lora.rank"]) == ("file:3", "file:5")


def test_lines_of_every_form_of_key(write: Write) -> None:
    text = (
        "# [lora] rank = 9\n"
        'note = """\n[stage]\nname = "no" # ] \\"""" # "\n'  # lines 2 to 4
        "lora . rank = 1\n"  # 5
        "'seed' = 0x10 # comment = 3\n"  # 6
        "pair = [ # [ nested\n 2, 'x]',\n]\n"  # 7 to 9
        "[ 'weights' ]\n"  # 10
        '"a.b" = 1\n'
    )
    resolved = load(Run, write("a.toml", text))
    assert resolved.value.note == '[stage]\nname = "no" # ] "'
    assert resolved.value.weights == {"a.b": 1.0}
    expected = {"note": 2, "lora.rank": 5, "seed": 6, "pair": 7, "weights": 10}
    assert {key: resolved.origins[key] for key in expected} == {key: f"file:{n}" for key, n in expected.items()}


def test_lines_inside_a_value_are_no_keys(write: Write) -> None:
    text = (
        "anything = [\n'seed',\n{ rate = 1 },\n]\n"
        'lora.targets = ["""\nmodel = 1""",\n"rate"\n]\n'
        "seed = 1\nmodel = 'm'\nrate = 2"
    )
    origins = load(Run, write("a.toml", text)).origins
    keys = ("anything", "lora.targets", "seed", "model", "rate")
    assert [origins[key] for key in keys] == ["file:1", "file:5", "file:9", "file:10", "file:11"]


def test_dicts_and_toml_give_the_value_back(write: Write) -> None:
    value = Run(model='q"\\\n\x00\x7fü', rate=-math.inf, lora=None, cap=None, note=None, out=Path("a b"), mode=3)
    value.weights["odd key\n"] = 1e300
    value.stages.append(Stage("s"))
    assert from_dict(Run, to_dict(value)) == value
    assert load(Run, write("a.toml", dump_toml(value))).value == value
    assert to_dict(value)["pair"] == [1, "a"]
    assert to_dict(value)["out"] == "a b"


def test_from_dict_is_as_strict() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'lora.rnk'"):
        from_dict(Run, {"lora": {"rnk": 3}})
    with pytest.raises(ConfigError, match="'seed' must be a whole number"):
        from_dict(Run, {"seed": None})
    with pytest.raises(ConfigError, match="lone surrogate"):
        dump_toml(Run(model="\ud800"))


def test_describe_opens_sections_and_keeps_help() -> None:
    settings = {setting.key: setting for setting in describe(Run)}
    assert settings["lora.rank"].default == 4
    assert settings["lora.rank"].help == "rank of the update"
    assert settings["threads"].type == "a whole number or 'auto'"
    assert settings["stage.name"].default == "first"
    assert set(settings) == set(load(Run).origins)

"""Which words of a text name a skill: whole words, the right C, what a negation takes back, what is only like it."""

import json

import numpy as np
import pytest

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.matching import Skill, SkillBase, SkillLinker, calibrated_theta
from tutelage.matching.phrases import sentences, words
from tutelage.matching.skill_files import _above, read_skills

LINKER = SkillLinker(SkillBase.load())


def named(text, linker=LINKER):
    return [(link.skill, link.span.of(text)) for link in linker.link(text).links]


def ids(text, linker=LINKER):
    return [skill for skill, _ in named(text, linker)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Built it in PYTHON.", [("python", "PYTHON")]),
        ("machine-learning and machine\nlearning", [("ml", "machine-learning"), ("ml", "machine\nlearning")]),
        ("Node.js, C++ and C#", [("node", "Node.js"), ("cpp", "C++"), ("csharp", "C#")]),
        ("CI/CD with PL/SQL", [("cicd", "CI/CD"), ("oracle", "PL/SQL")]),
        ("pythonic pythons", []),
        ("machine. Learning", []),
        ("- machine\n- learning", []),
        ("write to me@python.org", []),
        ("Apache Kafka", [("kafka", "Apache Kafka")]),
        ("ASP.NET or .NET", [("dotnet", "ASP.NET"), ("dotnet", ".NET")]),
    ],
)
def test_names_are_whole_words_and_the_longest_wins(text, wanted):
    assert named(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "vitamin C every day",
        "grade C in music",
        "I go to work",
        "Go home.\n\nPython. Large R and small r in print.",
        "R&D in chemistry",
        "C-level talks about software",
        "J. R. Smith, software engineer",
        "He can react fast to new software",
        "we excel at software",
        "the spring collection of our software",
    ],
)
def test_ambiguous_names_without_evidence_do_not_count(text):
    assert set(ids(text)) <= {"python"}


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("Programming in C", "c"),
        ("Python, Java, C", "c"),
        ("I wrote R and tidyverse code", "r"),
        ("Languages:\n- Go\n- French", "go"),
        ("## Skills\n\nReact\nHTML", "react"),
        ("Word, Excel, PowerPoint", "excel"),
    ],
)
def test_ambiguous_names_count_where_the_sentence_or_list_says_so(text, skill):
    assert skill in ids(text)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("I haven't used Java, but SQL", ["sql"]),
        ("I haven’t used Java or Perl", []),
        ("Never worked with Java or Perl. Python or SQL", ["python", "sql"]),
        ("No Java nor Perl, Python", ["python"]),
        ("Java or Perl", ["java", "perl"]),
        ("We don't only write Python", ["python"]),
        ("Employment: Python", ["python"]),
        ("I can ' t Java", ["java"]),
    ],
)
def test_contractions_and_what_or_adds_are_taken_back_too(text, counted):
    found = SkillLinker(SkillBase.load()).link(text)
    assert sorted(link.skill for link in found.links) == counted


def test_what_is_not_counted_is_told_with_its_place():
    text = "No Java. Not only Python but SQL, without any Perl code. Vitamin C."
    found = LINKER.link(text)
    assert [link.skill for link in found.links] == ["python", "sql"]
    assert [(one.skill, one.span.of(text), one.why[:10]) for one in found.ignored] == [
        ("java", "Java", "a negation"),
        ("perl", "Perl", "a negation"),
        ("c", "C", "ambiguous,"),
    ]


def test_a_name_of_two_skills_needs_one_that_is_near():
    base = SkillBase.of(
        [
            Skill("web", "web", kind="group"),
            Skill("zoo", "zoo", kind="group"),
            Skill("js", "scripting", ("mocha",), ("web",)),
            Skill("milk", "drinks", ("mocha",), ("zoo",)),
            Skill("css", "stylesheets", (), ("web",)),
        ]
    )
    linker = SkillLinker(base)
    assert ids("mocha with stylesheets", linker) == ["js", "css"]
    assert ids("mocha alone", linker) == []
    assert linker.link("mocha alone").ignored[0].why == "ambiguous, and nothing near it says so"


def test_given_skills_are_looked_up_by_name():
    found = LINKER.link("Nothing here.", ["python3", "R", "basket weaving"])
    assert [(one.skill, one.span, one.how) for one in found.links] == [("python", None, "given"), ("r", None, "given")]
    assert found.unknown == ("basket weaving",)
    both = LINKER.link("Python", ["Python"])
    assert [one.how for one in both.links] == ["label"]


class Letters:
    """Texts as counts of letters: near when they share letters."""

    name = "letters"

    def embed(self, texts):
        rows = np.array([[text.lower().count(chr(97 + k)) for k in range(26)] for text in texts], dtype=float)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def test_phrases_without_a_name_are_linked_by_meaning_above_theta():
    base = SkillBase.of([Skill("a", "listen"), Skill("b", "Python")])
    text = "silent, xyz, Python"
    found = SkillLinker(base, Letters(), theta=0.99).link(text).links
    assert [(one.skill, one.span.of(text), one.how) for one in found] == [
        ("a", "silent", "embedding"),
        ("b", "Python", "label"),
    ]
    assert found[0].score == pytest.approx(1.0)
    assert ids(text, SkillLinker(base)) == ["b"]
    with pytest.raises(RangeError):
        SkillLinker(base, Letters(), theta=0.0)


def test_theta_is_that_of_the_best_f1_by_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cosines = rng.integers(0, 8, 30) / 8
        right = rng.random(30) < cosines
        right[0] = True

        def f1(theta, cosines=cosines, right=right):
            hits = (right & (cosines >= theta)).sum()
            return 2 * hits / ((cosines >= theta).sum() + right.sum())

        assert f1(calibrated_theta(list(cosines), list(right))) == pytest.approx(max(map(f1, cosines)))
    with pytest.raises(ShapeError):
        calibrated_theta([0.5], [False])


def test_words_and_sentences_keep_their_places():
    text = "Zoë's C++ — naïve_test, ＳＱＬ\n\nnext"
    assert all(word.form and word.span.of(text) for word in words(text))
    assert [word.form for word in words(text)][-2:] == ["sql", "next"]
    text = "One. Two!\n- three\n- four\n\nA line long enough to have been broken because there was\nno room left."
    assert [span.of(text) for span in sentences(text)][:4] == ["One.", "Two!", "- three", "- four"]
    assert sentences(text)[-1].of(text).endswith("was\nno room left.")
    assert sentences(" \n\t ") == []


def test_tables_of_other_makers_are_read(tmp_path):
    esco = tmp_path / "esco"
    esco.mkdir()
    (esco / "skills_en.csv").write_text(
        "conceptType,conceptUri,preferredLabel,altLabels\n"
        'KnowledgeSkillCompetence,u:1,weld metal,"weld metals\nmetal welding"\n'
        "SkillGroup,u:2,metal work,\n"
    )
    (esco / "broaderRelationsSkillPillar_en.csv").write_text(
        "conceptType,conceptUri,broaderType,broaderUri\nK,u:1,S,u:2\nK,u:1,S,u:9\n"
    )
    base = read_skills(esco)
    assert base.skills["u:1"].alternatives == ("weld metals", "metal welding")
    assert base.path("u:1", "u:2") == ("u:1", "u:2")
    assert base.notes
    assert ids("metal welding, metal work", SkillLinker(base)) == ["u:1"]
    onet = tmp_path / "Skills.txt"
    onet.write_text("O*NET-SOC Code\tElement ID\tElement Name\n1\t2.A\tContent\n1\t2.A.1\tReading\n2\t2.A.1\tReading\n")
    assert read_skills(onet).path("2.A.1", "2.A") == ("2.A.1", "2.A")
    tools = tmp_path / "Technology Skills.txt"
    tools.write_text("O*NET-SOC Code\tExample\tCommodity Code\tCommodity Title\n1\tQGIS\t43\tMaps\n2\tQGIS\t43\tMaps\n")
    assert ids("QGIS", SkillLinker(read_skills(tools))) == ["43 QGIS"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a"}, "needs id and label"),
        ({"id": "a", "label": "A", "alt": []}, "unknown key 'alt'"),
        ({"id": "a", "label": "A", "broader": "b"}, "lists of texts"),
        ({"id": "a", "label": "A", "type": "thing"}, "neither skill nor group"),
        ({"id": "a", "label": "A", "broader": ["b"]}, "not in the table"),
    ],
)
def test_a_bad_row_of_a_table_is_named(tmp_path, row, message):
    path = tmp_path / "skills.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message) as caught:
        read_skills(path)
    assert "skills" in caught.value.where


def test_codes_of_esco_have_the_level_above_them():
    assert [_above(code) for code in ("S4.2.1", "S4.2", "S4", "K0811", "K081", "K08")] == [
        "S4.2", "S4", "S", "K081", "K08", "K",
    ]  # fmt: skip


def test_the_sample_is_whole_and_its_version_is_its_content():
    base = SkillBase.load()
    again = SkillBase.of(reversed(list(base.skills.values())))
    assert base.version == again.version
    assert base.version != SkillBase.of([*base.skills.values(), Skill("x", "X")]).version
    labels = [one.label.lower() for one in base.skills.values() if one.kind == "skill"]
    assert len(labels) == len(set(labels))
    assert base.path("python", "r") == ("python", "script", "r")
    assert base.path("python", "sales") is None


@pytest.mark.parametrize(
    ("rows", "message", "line", "hint"),
    [
        ([{"id": "b", "label": "B"}, {"id": "a", "label": "A", "broader": ["bb"]}], "not in the table", 2, "'b'"),
        ([{"id": "a", "label": "A"}, {"id": "a", "label": "B"}], "stands twice", 2, ":1"),
        ([{"id": "a", "label": " "}], "is empty", 1, "such as"),
        ([{"id": "a"}], "needs id and label", 1, "such as"),
        ([{"id": "a", "label": "A", "type": "group"}], "no skills found", None, "JSON lines"),
    ],
)
def test_a_bad_table_of_skills_is_named_with_its_line_and_the_cure(tmp_path, rows, message, line, hint):
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=message) as caught:
        read_skills(path)
    assert caught.value.where == (str(path) if line is None else f"{path}:{line}")
    assert hint in caught.value.hint

import pytest

from tutelage.errors import RangeError
from tutelage.verify import answer_penalty

END = "\n\n# Answer\n\n42"


@pytest.mark.parametrize(
    ("text", "penalty"),
    [
        ("It is \\boxed{42}." + END, 0.0),
        ("It is \\boxed{42}.\n\nSo be it." + END, 0.0),
        ("It is \\boxed{41}, so $42$." + END, 0.5),
        ("So $42.$" + END, 0.5),
        ("So $42$.\n\nDone." + END, 1.0),  # only the last paragraph counts
        ("So it is 42." + END, 0.75),
        ("So it is 41." + END, 1.0),
        ("So it is \\boxed{42}.", 1.0),
        ("So it is \\boxed{42}.\n\n# Answer\n\n", 1.0),
        ("", 1.0),
    ],
)
def test_grades_of_form(text, penalty):
    assert answer_penalty(text) == penalty


def test_another_header_and_none():
    assert answer_penalty("so 7 Therefore: 7", "Therefore:") == 0.75
    with pytest.raises(RangeError, match="header"):
        answer_penalty("x", " ")

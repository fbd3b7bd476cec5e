"""Whether a teacher and a student mean the same by the same token id."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from tutelage.errors import ModelError

__all__ = ["VocabularyMatch", "match_vocabularies"]


@dataclass(frozen=True)
class VocabularyMatch:
    """``size``: ids 0 .. size - 1 mean the same to both; distillation compares logits of these only.

    ``teacher_only`` and ``student_only``: tokens that only one of them has; they stand behind the shared ones.
    """

    size: int
    teacher_only: tuple[str, ...]
    student_only: tuple[str, ...]


def match_vocabularies(teacher: PreTrainedTokenizerBase, student: PreTrainedTokenizerBase) -> VocabularyMatch:
    """Compare two vocabularies by their token strings, not by their sizes.

    Tokens added at the end of one vocabulary are allowed and named; so are rows of the output layer beyond the
    vocabulary, which belong to no token. Padding side and pad token play no part: pads are never scored.

    Raises:
        ModelError: an id that both have stands for different strings, or the shared ids have a gap.

    Example:
        >>> match_vocabularies(tokenizer, tokenizer).size == len(tokenizer)  # doctest: +SKIP
        True
    """
    ours = {index: token for token, index in teacher.get_vocab().items()}
    theirs = {index: token for token, index in student.get_vocab().items()}
    hint = "distil between models of one tokenizer; logits of different vocabularies cannot be compared"
    different = sorted(i for i in ours.keys() & theirs.keys() if ours[i] != theirs[i])
    if different:
        i = different[0]
        raise ModelError(
            f"teacher and student disagree on {len(different)} token ids: {i} is {ours[i]!r} to the teacher and "
            f"{theirs[i]!r} to the student",
            hint=hint,
        )
    shared = ours.keys() & theirs.keys()
    size = len(shared)
    if not shared or max(shared) != size - 1:
        raise ModelError(
            f"the {size} token ids that teacher and student share do not run from 0 to {size - 1}", hint=hint
        )
    return VocabularyMatch(
        size,
        tuple(ours[i] for i in sorted(ours.keys() - shared)),
        tuple(theirs[i] for i in sorted(theirs.keys() - shared)),
    )

"""How far a solution is from stating its answer in the form that was asked for."""

from __future__ import annotations

from tutelage.errors import RangeError

__all__ = ["answer_penalty"]


def answer_penalty(text: str, header: str = "# Answer") -> float:
    r"""How much the form of a solution costs, between 0 and 1: is the answer under ``header`` the one it arrived at?

    0: what stands under the header also stands in ``\boxed{...}`` before it; 0.5: in the last paragraph before it,
    between dollar signs; 0.75: there, as plain text; 1: nowhere there, or there is no header, or nothing under it. So a
    model does not earn by writing an answer that its steps do not lead to. Whether the answer is right is not asked.

    Args:
        text: the solution.
        header: the line after which the answer stands; its first place in the text counts.

    Raises:
        RangeError: an empty header.

    Source: the grades of arXiv 2403.09472, official code.

    Example:
        >>> answer_penalty("2 + 2 makes 4.\n\n# Answer\n\n4"), answer_penalty("2 + 2 makes 4.")
        (0.75, 1.0)
    """
    if not header.strip():
        raise RangeError("a header that marks the answer cannot be empty")
    before, mark, after = text.partition(header)
    answer = after.strip()
    if not mark or not answer:
        return 1.0
    if f"\\boxed{{{answer}}}" in before:
        return 0.0
    last = before.strip().split("\n\n")[-1]
    if f"${answer}$" in last or f"${answer}.$" in last:
        return 0.5
    return 0.75 if answer in last else 1.0

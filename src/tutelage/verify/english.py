"""Small lists of English words that the checks need."""

from __future__ import annotations

__all__ = ["FUNCTION_WORDS", "NUMBER_WORDS", "ORDERS"]

_FUNCTION = """
a about above after all also although an and any are as at be because been before below both but by can could do does
during each either every few first for from further had has have he her here his how however i if in into is it its
last later let many may more most much must my neither never next no nor not note now of often on once one only or
other our over please second several she should since so some such than that the their them then there these they this
those though thus to today too two under unless until up use very was we were what when where whether which while who
whose why will with without would yes yet you your
"""
_ORDERS = """
add ask call change check choose click close contact create delete disable download enable enter find get go install
make open press read remove restart run see select set start stop try turn update upgrade use visit write
"""
_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty
"""
_TENS = "thirty forty fifty sixty seventy eighty ninety"

FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""Words that carry grammar and no fact."""

ORDERS = frozenset(_ORDERS.split())
"""Verbs that begin a sentence before a name without being part of it: "Restart Windows"."""

NUMBER_WORDS: dict[str, int] = {
    **{word: value for value, word in enumerate(_ONES.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), start=3)},
    "hundred": 100,
    "thousand": 1_000,
    "million": 1_000_000,
}
"""Words for numbers, one word each."""

"""Checkers of an answer: right or wrong, in form or not, refused or not, facts kept or lost.

Each is a :class:`tutelage.types.Verifier`. Those without parameters are in :data:`verifiers`, functions that make one
from parameters in :data:`constraints`; :func:`get` finds both by name.
"""

from tutelage.verify.answer_form import answer_penalty
from tutelage.verify.answers import choice, contains, exact, number, number_within
from tutelage.verify.arithmetic import (
    CARD_SCORES,
    Expression,
    card_outcome,
    countdown,
    expression,
    parse_expression,
)
from tutelage.verify.consistency import symmetric, transitive
from tutelage.verify.entities import Entity, Preservation, entities, entities_preserved
from tutelage.verify.final_answer import Grade, final_answer, grade_final
from tutelage.verify.grounding import characters, json_schema, label_path, language, numbers_kept, quotes_source
from tutelage.verify.limits import Limited, limited
from tutelage.verify.refusal import no_refusal, refusal, refusal_phrase
from tutelage.verify.registry import constraints, get, names, verifiers
from tutelage.verify.satisfaction import (
    ConstantVerifierWarning,
    Constraint,
    CsrTable,
    Response,
    constraint_of,
    csr,
    verifier,
)
from tutelage.verify.sokoban import sokoban, sokoban_move
from tutelage.verify.structure import json_keys, json_valid
from tutelage.verify.wording import excludes, includes

__all__ = [
    "CARD_SCORES",
    "ConstantVerifierWarning",
    "Constraint",
    "CsrTable",
    "Entity",
    "Expression",
    "Grade",
    "Limited",
    "Preservation",
    "Response",
    "answer_penalty",
    "card_outcome",
    "characters",
    "choice",
    "constraint_of",
    "constraints",
    "contains",
    "countdown",
    "csr",
    "entities",
    "entities_preserved",
    "exact",
    "excludes",
    "expression",
    "final_answer",
    "get",
    "grade_final",
    "includes",
    "json_keys",
    "json_schema",
    "json_valid",
    "label_path",
    "language",
    "limited",
    "names",
    "no_refusal",
    "number",
    "number_within",
    "numbers_kept",
    "parse_expression",
    "quotes_source",
    "refusal",
    "refusal_phrase",
    "sokoban",
    "sokoban_move",
    "symmetric",
    "transitive",
    "verifier",
    "verifiers",
]

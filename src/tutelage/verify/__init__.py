"""Checkers of an answer: right or wrong, in form or not, refused or not, facts kept or lost.

Each is a :class:`tutelage.types.Verifier`. Those without parameters are in :data:`verifiers`, functions that make one
from parameters in :data:`constraints`; :func:`get` finds both by name.
"""

from tutelage.verify.answers import choice, contains, exact, number, number_within
from tutelage.verify.entities import Entity, Preservation, entities, entities_preserved
from tutelage.verify.limits import Limited, limited
from tutelage.verify.refusal import no_refusal, refusal, refusal_phrase
from tutelage.verify.registry import constraints, get, names, verifiers
from tutelage.verify.structure import json_keys, json_valid
from tutelage.verify.wording import excludes, includes

__all__ = [
    "Entity",
    "Limited",
    "Preservation",
    "choice",
    "constraints",
    "contains",
    "entities",
    "entities_preserved",
    "exact",
    "excludes",
    "get",
    "includes",
    "json_keys",
    "json_valid",
    "limited",
    "names",
    "no_refusal",
    "number",
    "number_within",
    "refusal",
    "refusal_phrase",
    "verifiers",
]

"""Honest statistics on numpy arrays: intervals, paired tests, power and verdicts.

What to keep in mind: that two intervals overlap is not a test; items that come in clusters (seeds, paraphrases, turns
of one question) are not independent; significance at n = 10,000 says nothing about size, so read delta first; a family
of tests is declared before it is run.
"""

from tutelage.stats.alignment import Aligned, UnmatchedWarning, align
from tutelage.stats.bootstrap import Bootstrap, paired_bootstrap
from tutelage.stats.comparison import adjust, compare, estimate
from tutelage.stats.composite import compare_macro, estimate_macro
from tutelage.stats.flips import Flips, negative_flips
from tutelage.stats.intervals import mean_interval, proportion_interval
from tutelage.stats.multiplicity import holm
from tutelage.stats.paired_proportions import PairedCounts, mcnemar, newcombe
from tutelage.stats.power import minimum_detectable_effect
from tutelage.stats.verdict import ClaimVerdict, verdict

__all__ = [
    "Aligned",
    "Bootstrap",
    "ClaimVerdict",
    "Flips",
    "PairedCounts",
    "UnmatchedWarning",
    "adjust",
    "align",
    "compare",
    "compare_macro",
    "estimate",
    "estimate_macro",
    "holm",
    "mcnemar",
    "mean_interval",
    "minimum_detectable_effect",
    "negative_flips",
    "newcombe",
    "paired_bootstrap",
    "proportion_interval",
    "verdict",
]

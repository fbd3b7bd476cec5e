"""Honest statistics on numpy arrays: intervals, paired tests, power and verdicts.

What to keep in mind: that two intervals overlap is not a test; items that come in clusters (seeds, paraphrases, turns
of one question) are not independent; significance at n = 10,000 says nothing about size, so read delta first; a family
of tests is declared before it is run.
"""

from tutelage.stats.alignment import Aligned, UnmatchedWarning, align
from tutelage.stats.bootstrap import Bootstrap, paired_bootstrap
from tutelage.stats.comparison import adjust, compare, estimate
from tutelage.stats.composite import compare_macro, estimate_macro
from tutelage.stats.equivalence import Equivalence, non_inferior, tost
from tutelage.stats.flips import (
    FlipReport,
    Flips,
    GradedFlips,
    Quadrant,
    flip_report,
    negative_flips,
    self_flips,
)
from tutelage.stats.intervals import mean_interval, proportion_interval, share_interval
from tutelage.stats.multiplicity import benjamini_hochberg, holm
from tutelage.stats.paired_proportions import PairedCounts, clustered_newcombe, mcnemar, newcombe
from tutelage.stats.permutation import SignFlipTest, sign_flip_test
from tutelage.stats.plan import ComparisonPlan
from tutelage.stats.power import minimum_detectable_effect, pairs_needed, unpaired_detectable_effect
from tutelage.stats.simulation import PowerAt, mcnemar_power, simulated_power
from tutelage.stats.verdict import ClaimVerdict, verdict

__all__ = [
    "Aligned",
    "Bootstrap",
    "ClaimVerdict",
    "ComparisonPlan",
    "Equivalence",
    "FlipReport",
    "Flips",
    "GradedFlips",
    "PairedCounts",
    "PowerAt",
    "Quadrant",
    "SignFlipTest",
    "UnmatchedWarning",
    "adjust",
    "align",
    "benjamini_hochberg",
    "clustered_newcombe",
    "compare",
    "compare_macro",
    "estimate",
    "estimate_macro",
    "flip_report",
    "holm",
    "mcnemar",
    "mcnemar_power",
    "mean_interval",
    "minimum_detectable_effect",
    "negative_flips",
    "newcombe",
    "non_inferior",
    "paired_bootstrap",
    "pairs_needed",
    "proportion_interval",
    "self_flips",
    "share_interval",
    "sign_flip_test",
    "simulated_power",
    "tost",
    "unpaired_detectable_effect",
    "verdict",
]

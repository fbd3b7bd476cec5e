"""Honest statistics on numpy arrays: intervals, paired tests, power and verdicts.

What to keep in mind: that two intervals overlap is not a test; items that come in clusters (seeds, paraphrases, turns
of one question) are not independent; significance at n = 10,000 says nothing about size, so read delta first; a family
of tests is declared before it is run.
"""

from tutelage.stats.agreement import Agreement, cohen_kappa
from tutelage.stats.alignment import Aligned, UnmatchedWarning, align
from tutelage.stats.bootstrap import Bootstrap, paired_bootstrap
from tutelage.stats.comparison import adjust, compare, estimate
from tutelage.stats.composite import compare_macro, estimate_macro
from tutelage.stats.deception import DeceptionReport, deception_score, knowledge_regions
from tutelage.stats.equivalence import Equivalence, non_inferior, tost
from tutelage.stats.fairness import FairnessReport, GroupFacts, GroupGap, exposure, fairness_report
from tutelage.stats.flips import FlipReport, Flips, GradedFlips, Quadrant, flip_report, negative_flips, self_flips
from tutelage.stats.gap_recovered import GapRecovered, performance_gap_recovered
from tutelage.stats.intervals import mean_interval, proportion_interval, share_interval
from tutelage.stats.missing import MissingBounds, missing_bounds
from tutelage.stats.multiplicity import benjamini_hochberg, holm
from tutelage.stats.paired_proportions import PairedCounts, difference_of_shares, mcnemar, newcombe
from tutelage.stats.pass_at_k import pass_at_k
from tutelage.stats.permutation import SignFlipTest, sign_flip_test
from tutelage.stats.plan import ComparisonPlan
from tutelage.stats.power import minimum_detectable_effect, pairs_needed, unpaired_detectable_effect
from tutelage.stats.prediction import ppi_mean, rogan_gladen
from tutelage.stats.preference import (
    length_only_accuracy,
    preference_share,
    ranked_right,
    ranking_accuracy,
    rankings_match,
)
from tutelage.stats.preference_difficulty import (
    FlipGroup,
    FlipTable,
    IpoReach,
    PairDifficulty,
    flip_table,
    ipo_reachable,
    pair_difficulty,
)
from tutelage.stats.preference_optimum import (
    AlignmentGap,
    IdealizedAccuracy,
    alignment_gap,
    idealized_ranking_accuracy,
)
from tutelage.stats.rank import RankCorrelation, kendall_tau, spearman
from tutelage.stats.rank_at_k import RankAtK, rank_at_k
from tutelage.stats.ranking import RankedSystem, rank_table
from tutelage.stats.regression import LinearFit, linear_fit
from tutelage.stats.reliability import fleiss_kappa, krippendorff_alpha
from tutelage.stats.reward_diagnostics import (
    LabelNoise,
    LengthBin,
    LengthDiagnostic,
    label_noise_probe,
    length_diagnostic,
)
from tutelage.stats.sampled import CurvePoint, SampledSet, tts_curve
from tutelage.stats.selection import Choice, select
from tutelage.stats.simulation import PowerAt, mcnemar_power, simulated_power
from tutelage.stats.stability import GapReport, stability_gap
from tutelage.stats.step_scores import aggregate, outcome_error_rate, stepwise_error_rate
from tutelage.stats.system_metrics import (
    CLASSIFIER_METRICS,
    WRITER_METRICS,
    GapRow,
    SystemMetric,
    classifier_rows,
    gap_table,
    toxicity_metrics,
)
from tutelage.stats.trend import TrendTest, jonckheere
from tutelage.stats.two_level import TwoLevel, two_level_bootstrap
from tutelage.stats.unpaired import UnpairedTest, unpaired_z
from tutelage.stats.verdict import ClaimVerdict, verdict

__all__ = [
    "CLASSIFIER_METRICS",
    "WRITER_METRICS",
    "Agreement",
    "Aligned",
    "AlignmentGap",
    "Bootstrap",
    "Choice",
    "ClaimVerdict",
    "ComparisonPlan",
    "CurvePoint",
    "DeceptionReport",
    "Equivalence",
    "FairnessReport",
    "FlipGroup",
    "FlipReport",
    "FlipTable",
    "Flips",
    "GapRecovered",
    "GapReport",
    "GapRow",
    "GradedFlips",
    "GroupFacts",
    "GroupGap",
    "IdealizedAccuracy",
    "IpoReach",
    "LabelNoise",
    "LengthBin",
    "LengthDiagnostic",
    "LinearFit",
    "MissingBounds",
    "PairDifficulty",
    "PairedCounts",
    "PowerAt",
    "Quadrant",
    "RankAtK",
    "RankCorrelation",
    "RankedSystem",
    "SampledSet",
    "SignFlipTest",
    "SystemMetric",
    "TrendTest",
    "TwoLevel",
    "UnmatchedWarning",
    "UnpairedTest",
    "adjust",
    "aggregate",
    "align",
    "alignment_gap",
    "benjamini_hochberg",
    "classifier_rows",
    "cohen_kappa",
    "compare",
    "compare_macro",
    "deception_score",
    "difference_of_shares",
    "estimate",
    "estimate_macro",
    "exposure",
    "fairness_report",
    "fleiss_kappa",
    "flip_report",
    "flip_table",
    "gap_table",
    "holm",
    "idealized_ranking_accuracy",
    "ipo_reachable",
    "jonckheere",
    "kendall_tau",
    "knowledge_regions",
    "krippendorff_alpha",
    "label_noise_probe",
    "length_diagnostic",
    "length_only_accuracy",
    "linear_fit",
    "mcnemar",
    "mcnemar_power",
    "mean_interval",
    "minimum_detectable_effect",
    "missing_bounds",
    "negative_flips",
    "newcombe",
    "non_inferior",
    "outcome_error_rate",
    "pair_difficulty",
    "paired_bootstrap",
    "pairs_needed",
    "pass_at_k",
    "performance_gap_recovered",
    "ppi_mean",
    "preference_share",
    "proportion_interval",
    "rank_at_k",
    "rank_table",
    "ranked_right",
    "ranking_accuracy",
    "rankings_match",
    "rogan_gladen",
    "select",
    "self_flips",
    "share_interval",
    "sign_flip_test",
    "simulated_power",
    "spearman",
    "stability_gap",
    "stepwise_error_rate",
    "tost",
    "toxicity_metrics",
    "tts_curve",
    "two_level_bootstrap",
    "unpaired_detectable_effect",
    "unpaired_z",
    "verdict",
]

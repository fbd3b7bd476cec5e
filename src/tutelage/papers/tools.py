"""What of a paper stands in this library, apart from its recipe: a table from slug to public objects.

A paper counts as implemented when one of its tools covers its method (``whole``). The rest is worth knowing but does
not make it so: of MUSCLE there are the measures of flips, not the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["TOOLS", "Tool", "tools"]


@dataclass(frozen=True)
class Tool:
    """A public object, as ``module:name``, what of the paper it covers, and the command that brings it to users."""

    target: str
    covers: str
    command: str = ""
    whole: bool = False

    def load(self) -> Any:
        """Import the object."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


TOOLS: Mapping[str, tuple[Tool, ...]] = {
    "raft": (
        Tool("tutelage.jobs.refine:refine_dataset", "the refinement of the data", "tutelage refine"),
        Tool("tutelage.jobs.tune:tune", "both stages, and what was gained and lost", "tutelage tune", whole=True),
    ),
    "constraint-verification": (
        Tool("tutelage.verify:csr", "constraints of three arities and the rate at which answers meet them"),
        Tool("tutelage.jobs.preferences:preference_data", "prompts and checks to TRL pairs", "tutelage refine"),
        Tool("tutelage.refine:preferences_from", "sampled answers ranked by the constraints they meet"),
        Tool("tutelage.objectives:ConstraintRanking", "ranking several scored responses in training", whole=True),
    ),
    "graded-formality": (
        Tool("tutelage.measure.graded:audit_labels", "labels rated anew on an absolute scale"),
        Tool("tutelage.refine.triples:directed_rows", "texts on three levels as rows to train on", whole=True),
        Tool("tutelage.measure.graded:direction_report", "outputs against the level that was asked for"),
        Tool("tutelage.verify.formality:RuleFormality", "a rubric of English formality by rules"),
    ),
    "muscle": (
        Tool("tutelage.stats:flip_report", "the measures of flips; not the training of an adapter", "tutelage compare"),
    ),
    "explainable-job-matching": (
        Tool("tutelage.jobs.match:match", "ranking, reasons, checks, groups and log", "tutelage match", whole=True),
        Tool("tutelage.matching:Matcher", "additive scores whose reasons have places in both texts"),
        Tool("tutelage.matching:counterfactual", "the fewest skills that would lift somebody among the first"),
        Tool("tutelage.matching:DecisionLog", "sealed decisions that can be recomputed", "tutelage match --verify"),
        Tool("tutelage.stats:fairness_report", "rates, ratios and gaps of groups with intervals, small ones refused"),
    ),
    "co-teaching-job-matching": (
        Tool("tutelage.training.co_teaching:CoTeacher", "two views that choose examples for each other", whole=True),
        Tool("tutelage.functional.small_loss:small_loss_mask", "the examples of smallest loss, class by class"),
        Tool("tutelage.models.relation_graph:RGCNLite", "items that share categories and keywords, as a graph"),
        Tool("tutelage.measure.rankings:group_auc", "rankings judged query by query"),
    ),
    "prune-opd": (
        Tool(
            "tutelage.training.pruning:Reliability",
            "weights by agreement, and length control",
            "tutelage tune --reweight prune",
            whole=True,
        ),
        Tool("tutelage.training.pruning:in_blocks", "stopping rollouts in flight"),
    ),
    "vcore": (
        Tool(
            "tutelage.training.vcore:Vcore",
            "weights by utility, with control",
            "tutelage tune --reweight vcore",
            whole=True,
        ),
        Tool("tutelage.training.utilities:token_utilities", "how much a step lowers each token's loss, exactly"),
    ),
    "sft-grpo-overlap": (
        Tool("tutelage.data:plan_stages", "two stages of fixed sizes with a given overlap"),
        Tool("tutelage.data:audit_overlap", "what two sets of prompts share: word for word, nearly, in meaning"),
        Tool("tutelage.measure:dual_metric", "form and meaning scored apart, unbiased pass@k"),
        Tool("tutelage.training.grpo:reinforce", "the second stage, through TRL", whole=True),
    ),
    "stability-gap-pretraining": (
        Tool("tutelage.data:cpt_plan", "a good subset, several passes, and a mixture", whole=True),
        Tool("tutelage.training.stability:StabilityGapCallback", "the model measured every few steps, in any trainer"),
        Tool("tutelage.stats:stability_gap", "depth, place, recovery and area of a dip"),
    ),
    "safety-tax": (
        Tool("tutelage.refine:DgrRefiner", 'refusals restated by the model, `method = "dgr"`', "tutelage refine"),
        Tool("tutelage.jobs.tune:tune", "the same before training, in one command", "tutelage tune", whole=True),
        Tool("tutelage.refine:distribution_gap", "how far each answer is from the model's own"),
    ),
    "debunk-sft": (
        Tool("tutelage.refine:diversify", "new action names for every row", whole=True),
        Tool("tutelage.refine:SampledReasoning", "worked reasoning, sampled and kept where it is right"),
        Tool("tutelage.measure:ShiftReport", "instruction shift, difficulty shift, and the probe of unread prompts"),
        Tool("tutelage.data.sokoban:play", "Sokoban with exact rules, a solver, verifiers and episodes"),
        Tool("tutelage.data.cards:card_rows", "General Points with an exact solver"),
    ),
    "meet": (
        Tool("tutelage.models.controls:ControlSet", "a soft prompt or an adapter for each attribute"),
        Tool("tutelage.training.control_tuning:train_controls", "the first stage: the controls alone"),
        Tool("tutelage.training.control_tuning:train_joint", "the second stage: controls and model", whole=True),
        Tool("tutelage.models.control_decoding:generate", "text under a control, or by the contrast of two"),
    ),
    "model-spec-midtraining": (
        Tool("tutelage.refine.specification:generate_spec_documents", "documents about a specification, filtered"),
        Tool("tutelage.training.midtraining:train_stages", "documents read, then demonstrations", whole=True),
        Tool("tutelage.measure.generalization:generalization_contrast", "which of two values a model took up"),
    ),
    "curriculum-decay": (
        Tool("tutelage.training.curriculum:QualityCurriculum", "rows in the order of their quality"),
        Tool("tutelage.training.curriculum:CurriculumSettings", "the same in tuning", "tutelage tune --curriculum"),
        Tool("tutelage.training.schedules:MODERATE_DECAY", "a learning rate that falls to a third and no further"),
        Tool(
            "tutelage.training.averaging:CheckpointAverager",
            "the average of the last checkpoints, with or without decay",
            "tutelage tune --average",
            whole=True,
        ),
    ),
    "toolcomp": (
        Tool("tutelage.measure.tooluse:judge_pairs", "steps judged in both orders, with what the order alone decides"),
        Tool("tutelage.verify:grade_final", "final answers graded by rule: right, right in another form, wrong"),
        Tool("tutelage.measure.tooluse:offline_toolset", "tools that work offline and always answer alike"),
        Tool("tutelage.measure.tooluse:read_trajectories", "trajectories with labels of their steps", whole=True),
        Tool("tutelage.stats:rank_at_k", "how often a verifier puts a right trajectory first"),
    ),
    "weak-to-strong": (
        Tool(
            "tutelage.training.weak_to_strong:weak_to_strong",
            "supervisor, student and ceiling on items kept apart",
            "tutelage w2s",
            whole=True,
        ),
        Tool("tutelage.training.weak_to_strong:bootstrapped", "a chain of models, each labelling for the next"),
        Tool("tutelage.objectives.weak_to_strong:WeakLoss", "the confidence loss and its relatives, for any classes"),
        Tool("tutelage.stats:performance_gap_recovered", "the share of the gap with its interval"),
    ),
    "weak-to-strong-beyond-accuracy": (
        Tool("tutelage.training.supervision:supervised", "weak-to-strong on any task, any labels", whole=True),
        Tool("tutelage.stats:gap_table", "the gap recovered by every metric, with direction and interval"),
        Tool("tutelage.stats:toxicity_metrics", "mean, expected maximum and any toxic text, of any scorer"),
        Tool("tutelage.functional.weak_labels:confident_rows", "the surest labels of every class"),
    ),
    "weak-to-strong-deception": (
        Tool("tutelage.stats:deception_score", "the score with what chance gives, excess, p and regions", whole=True),
        Tool("tutelage.stats:knowledge_regions", "what each of two models knows"),
        Tool("tutelage.functional.conflict:conflict_loss", "weak labels, and pay for contradicting the truth"),
    ),
    "debate-weak-to-strong": (
        Tool("tutelage.training.debate:DebateLabeler", "weak models that read debates, averaged", whole=True),
        Tool("tutelage.refine.debate:run_debate", "two sides argue in turn, the sides drawn at random and logged"),
        Tool("tutelage.refine.debate:consultancy", "one adviser argues for one side"),
        Tool("tutelage.refine.debate:market_making", "one adviser argues against what the reader has come to believe"),
        Tool("tutelage.refine.debate:EngineDebater", "a model that argues"),
    ),
    "easy-to-hard": (
        Tool("tutelage.data:easy_steps", "no labelled step of a hard problem"),
        Tool("tutelage.functional.shaped_rewards:shaped_rewards", "what each token earns, from the scores of steps"),
        Tool("tutelage.functional.shaped_rewards:whitened", "rewards standardised within groups, not across them"),
        Tool("tutelage.training.process_reward:ProcessReward", "a step verifier as the reward of GRPO", whole=True),
        Tool("tutelage.stats:select", "majority, best of n, weighted votes"),
        Tool("tutelage.verify:answer_penalty", "the form in which an answer is stated"),
    ),
    "kd-capacity": (
        Tool("tutelage.training.study:kd_study", "methods compared at settings that the test set did not choose"),
        Tool("tutelage.objectives.classifiers:LogitDistillation", "distillation by soft answers", whole=True),
        Tool("tutelage.objectives.classifiers:FeatureDistillation", "distillation by hidden layers"),
        Tool("tutelage.functional.features:feature_distance", "the distance between two layers' features"),
        Tool("tutelage.measure.classifiers:fidelity", "how closely a student follows its teacher"),
    ),
    "mixup-distillation": (
        Tool("tutelage.functional.mixing:draw_mixture", "blends of a whole batch or of an exact part of it"),
        Tool("tutelage.functional.standardised:standardised_logits", "logits in units of their own spread"),
        Tool("tutelage.objectives.classifiers:StandardisedDistillation", "distillation at that sharpness", whole=True),
        Tool("tutelage.measure.classifiers:smoothness", "how smooth a network's outputs are, and its features"),
    ),
    "multi-domain-reward-models": (
        Tool("tutelage.models:RewardModel", "one protocol: outcomes or steps, heads or spoken verdicts"),
        Tool("tutelage.training.reward_fit:fit_reward_model", "heads on outcomes or on steps", whole=True),
        Tool("tutelage.models:VerdictRewardModel", "a model that is asked, of the whole or of every step"),
        Tool("tutelage.stats:tts_curve", "what more samples buy, with errors over questions"),
        Tool("tutelage.stats:length_diagnostic", "whether a scorer fails on long solutions"),
        Tool("tutelage.stats:label_noise_probe", "how far automatic labels of steps are from reference labels"),
    ),
    "supervision-quality": (
        Tool(
            "tutelage.measure.supervision:supervision_quality",
            "shares of wrong answers and wrong steps, where mistakes begin, what is carried on",
            "tutelage measure",
        ),
        Tool("tutelage.refine:SubtaskRefiner", "parts of hard tasks, cut or asked for", "tutelage refine", whole=True),
        Tool("tutelage.data.supervision:inject_errors", "wrong solutions at an exact rate"),
        Tool("tutelage.data.supervision:mix", "hard tasks and others at equal tokens"),
        Tool("tutelage.training.quality_study:quality_study", "what each rate of error costs a student"),
    ),
    "preference-ranking": (
        Tool(
            "tutelage.stats:ranking_accuracy",
            "the share of pairs whose preferred response is the likelier, plain and per token",
            "tutelage measure MODEL --suite PAIRS.jsonl",
            whole=True,
        ),
        Tool(
            "tutelage.stats:idealized_ranking_accuracy",
            "what the optimum of the objective would rank right, and the gap to it",
            "tutelage measure MODEL --suite PAIRS.jsonl --reference BASE",
        ),
        Tool("tutelage.stats:pair_difficulty", "how hard each pair is, and the loss it would take"),
        Tool("tutelage.functional.preference:dpo_gamma_loss", "DPO with a reference that counts more or less"),
        Tool("tutelage.models.sequence_logprobs:sequence_logprobs", "log-probabilities of whole responses"),
        Tool("tutelage.training.ranking_callback:RankingAccuracyCallback", "rankings in the log of TRL's DPO trainer"),
    ),
}


def tools(slug: str) -> tuple[Tool, ...]:
    """What stands in this library of the paper ``slug``, whole or in part; empty when nothing does.

    Example:
        >>> [tool.target for tool in tools("muscle")]
        ['tutelage.stats:flip_report']
    """
    return TOOLS.get(slug, ())

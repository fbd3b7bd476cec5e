"""Supervision in, better supervision out: one resumable engine, and the refiners that run on it.

>>> from tutelage.refine import refiners
>>> sorted(name for name in refiners.names() if name in ("raft", "sdft_data"))
['raft', 'sdft_data']
"""

from tutelage.refine.calls import CallCache, Said, engine_identity
from tutelage.refine.case import Case
from tutelage.refine.debate import (
    Debater,
    EngineDebater,
    Reader,
    Transcript,
    Turn,
    consultancy,
    market_making,
    run_debate,
    side_of,
)
from tutelage.refine.dgr import DgrRefiner
from tutelage.refine.engine import RowRefiner, RunOptions, RunResult, run
from tutelage.refine.fusers import EngineFuser, Fuser, TemplateFuser
from tutelage.refine.gap import distribution_gap, gap_of_refinement
from tutelage.refine.instructions import InstructionVariants, Renaming, diversify, probe_rows
from tutelage.refine.judges import CosineJudge, EngineJudge, Judge, RuleJudge, judge_one
from tutelage.refine.preferences import (
    Asked,
    PreferenceSet,
    build_preferences,
    constraints_from,
    engine_sampler,
    preferences_from,
    write_preferences,
)
from tutelage.refine.raft import RaftRefiner
from tutelage.refine.reasoning import ProgrammaticReasoning, ReasoningSettings, SampledReasoning
from tutelage.refine.registered import refiners
from tutelage.refine.report import RefineReport, report_on
from tutelage.refine.sdft_data import SdftDataRefiner
from tutelage.refine.settings import RefineSettings
from tutelage.refine.similarity import Embedder, Similarity
from tutelage.refine.subtask_refiner import SubtaskRefiner
from tutelage.refine.subtasks import SubTask, contiguous

__all__ = [
    "Asked",
    "CallCache",
    "Case",
    "CosineJudge",
    "Debater",
    "DgrRefiner",
    "Embedder",
    "EngineDebater",
    "EngineFuser",
    "EngineJudge",
    "Fuser",
    "InstructionVariants",
    "Judge",
    "PreferenceSet",
    "ProgrammaticReasoning",
    "RaftRefiner",
    "Reader",
    "ReasoningSettings",
    "RefineReport",
    "RefineSettings",
    "Renaming",
    "RowRefiner",
    "RuleJudge",
    "RunOptions",
    "RunResult",
    "Said",
    "SampledReasoning",
    "SdftDataRefiner",
    "Similarity",
    "SubTask",
    "SubtaskRefiner",
    "TemplateFuser",
    "Transcript",
    "Turn",
    "build_preferences",
    "constraints_from",
    "consultancy",
    "contiguous",
    "distribution_gap",
    "diversify",
    "engine_identity",
    "engine_sampler",
    "gap_of_refinement",
    "judge_one",
    "market_making",
    "preferences_from",
    "probe_rows",
    "refiners",
    "report_on",
    "run",
    "run_debate",
    "side_of",
    "write_preferences",
]

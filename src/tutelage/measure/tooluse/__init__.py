"""One agent with tools: its trajectories, corrected steps and who can tell them apart, and tools that work offline."""

from tutelage.measure.tooluse.calculator import calculate
from tutelage.measure.tooluse.judging import (
    JudgedPair,
    StepJudge,
    StepJudgeReport,
    StepQuestion,
    engine_judge,
    judge_pairs,
    parse_choice,
)
from tutelage.measure.tooluse.tools import Tool, Toolset, offline_toolset
from tutelage.measure.tooluse.trajectory import (
    FINISH,
    StepPair,
    ToolStep,
    ToolTrajectory,
    parse_step_pair,
    parse_trajectory,
    read_step_pairs,
    read_trajectories,
    replayed,
    to_step_row,
)

__all__ = [
    "FINISH",
    "JudgedPair",
    "StepJudge",
    "StepJudgeReport",
    "StepPair",
    "StepQuestion",
    "Tool",
    "ToolStep",
    "ToolTrajectory",
    "Toolset",
    "calculate",
    "engine_judge",
    "judge_pairs",
    "offline_toolset",
    "parse_choice",
    "parse_step_pair",
    "parse_trajectory",
    "read_step_pairs",
    "read_trajectories",
    "replayed",
    "to_step_row",
]

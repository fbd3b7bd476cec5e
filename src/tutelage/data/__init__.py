"""Rows in TRL's formats, splits, overlap, chat templates with loss masks, and tasks made from assets.

:mod:`tutelage.data.chat` and :mod:`tutelage.data.batches` are imported by name where they are needed, because they
load transformers and torch.
"""

from tutelage.data.continuing import CptPlan, CptSettings, cpt_plan
from tutelage.data.conversation import BadRow, check_chat, split_answer
from tutelage.data.easy_steps import easy_steps
from tutelage.data.leakage import OverlapPair, OverlapReport, OverlapSettings, drop_overlap, overlap
from tutelage.data.ngrams import KneserNey
from tutelage.data.overlap_audit import OverlapAudit, audit_overlap
from tutelage.data.reading import LoadReport, ReadOptions, load_dataset_rows, row_id
from tutelage.data.rejected import Rejected, write_rejected
from tutelage.data.splits import Split, choose, group_of, split, split_by_column
from tutelage.data.stages import StagePlan, plan_stages
from tutelage.data.steps import StepRow, read_step_rows, until_first_error
from tutelage.data.tasks import domain_rows, write_task

__all__ = [
    "BadRow",
    "CptPlan",
    "CptSettings",
    "KneserNey",
    "LoadReport",
    "OverlapAudit",
    "OverlapPair",
    "OverlapReport",
    "OverlapSettings",
    "ReadOptions",
    "Rejected",
    "Split",
    "StagePlan",
    "StepRow",
    "audit_overlap",
    "check_chat",
    "choose",
    "cpt_plan",
    "domain_rows",
    "drop_overlap",
    "easy_steps",
    "group_of",
    "load_dataset_rows",
    "overlap",
    "plan_stages",
    "read_step_rows",
    "row_id",
    "split",
    "split_answer",
    "split_by_column",
    "until_first_error",
    "write_rejected",
    "write_task",
]

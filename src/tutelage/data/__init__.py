"""Rows in TRL's formats, splits, overlap, chat templates with loss masks, and tasks made from assets.

:mod:`tutelage.data.batches` is imported by name where it is needed, because it loads torch.
"""

from tutelage.data.conversation import BadRow, check_chat, split_answer
from tutelage.data.reading import LoadReport, ReadOptions, load_dataset_rows, row_id
from tutelage.data.rejected import Rejected, write_rejected

__all__ = [
    "BadRow",
    "LoadReport",
    "ReadOptions",
    "Rejected",
    "check_chat",
    "load_dataset_rows",
    "row_id",
    "split_answer",
    "write_rejected",
]

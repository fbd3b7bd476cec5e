"""What of the general abilities is kept: instructions, arithmetic, knowledge, reading, text, distance from the base."""

from tutelage.measure.retention.language import BaseReplies, base_replies
from tutelage.measure.retention.sizes import SIZES, VERSION, SizeName, SuiteSize, size_of
from tutelage.measure.retention.suite import (
    ASSETS,
    COMPOSITE,
    Probe,
    general_ability,
    general_ability_of,
    run,
    suite,
)

__all__ = [
    "ASSETS",
    "COMPOSITE",
    "SIZES",
    "VERSION",
    "BaseReplies",
    "Probe",
    "SizeName",
    "SuiteSize",
    "base_replies",
    "general_ability",
    "general_ability_of",
    "run",
    "size_of",
    "suite",
]

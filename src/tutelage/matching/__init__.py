"""Two texts in, a score out that is the sum of its reasons, each with its place in the texts; and the log of decisions.

Job ads and resumes, but nothing here knows more of them than that one asks for skills and the other has them.
"""

from tutelage.matching.counterfactual import Counterfactual, counterfactual
from tutelage.matching.decision_log import DecisionLog, LogFault, verify_log
from tutelage.matching.documents import Document, read_documents
from tutelage.matching.faithfulness import Faithfulness, check_faithfulness
from tutelage.matching.linking import SkillLinker
from tutelage.matching.links import Link, Linked
from tutelage.matching.matcher import Match, Matcher, MatchSettings, Reason
from tutelage.matching.meaning import calibrated_theta
from tutelage.matching.skills import Skill, SkillBase
from tutelage.matching.texts import LexicalSpace, MeaningSpace

__all__ = [
    "Counterfactual",
    "DecisionLog",
    "Document",
    "Faithfulness",
    "LexicalSpace",
    "Link",
    "Linked",
    "LogFault",
    "Match",
    "MatchSettings",
    "Matcher",
    "MeaningSpace",
    "Reason",
    "Skill",
    "SkillBase",
    "SkillLinker",
    "calibrated_theta",
    "check_faithfulness",
    "counterfactual",
    "read_documents",
    "verify_log",
]

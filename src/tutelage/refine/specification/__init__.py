"""A model specification in, documents about it out: what a model reads between pre-training and alignment (MSM)."""

from tutelage.refine.specification.documents import DocumentSettings, SpecDocuments, generate_spec_documents
from tutelage.refine.specification.filters import DocumentFilter, EvaluationItem, FilterSettings, verbatim_share
from tutelage.refine.specification.planning import (
    DocumentIdea,
    EngineDecomposer,
    EnginePlanner,
    HeadingDecomposer,
    ListPlanner,
    Subdomain,
)
from tutelage.refine.specification.spec import ModelSpec
from tutelage.refine.specification.writing import DocumentWriter, EngineWriter, TemplateWriter

__all__ = [
    "DocumentFilter",
    "DocumentIdea",
    "DocumentSettings",
    "DocumentWriter",
    "EngineDecomposer",
    "EnginePlanner",
    "EngineWriter",
    "EvaluationItem",
    "FilterSettings",
    "HeadingDecomposer",
    "ListPlanner",
    "ModelSpec",
    "SpecDocuments",
    "Subdomain",
    "TemplateWriter",
    "generate_spec_documents",
    "verbatim_share",
]

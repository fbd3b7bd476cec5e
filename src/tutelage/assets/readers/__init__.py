"""How the rows of each text asset are read: one function a format, named as the catalogue names it."""

from __future__ import annotations

from tutelage.assets.readers import choice, dialogue, esco, prose, safety, wordnet
from tutelage.assets.readers.record import Reader

__all__ = ["READERS"]

READERS: dict[str, Reader] = {
    "asdiv": prose.asdiv,
    "boolq": choice.boolq,
    "chat-choice": choice.chat_choice,
    "chat-sample": dialogue.chat_sample,
    "choice": choice.choice,
    "clause-questions": choice.clause_questions,
    "conversations": dialogue.conversations,
    "do-not-answer": safety.do_not_answer,
    "esco": esco.esco,
    "ifbench": dialogue.ifbench,
    "instruction-pairs": dialogue.instruction_pairs,
    "judgements": safety.judgements,
    "open-answers": prose.open_answers,
    "passages": prose.passages,
    "prompt-lines": safety.prompt_lines,
    "rated-words": safety.rated_words,
    "seed-prompts": safety.seed_prompts,
    "stereoset": safety.stereoset,
    "summary-pairs": prose.summary_pairs,
    "toxicity": safety.toxicity,
    "wordnet": wordnet.wordnet,
    "xsum": prose.xsum,
}

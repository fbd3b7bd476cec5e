"""How to read a report, for someone who sees one for the first time."""

from __future__ import annotations

__all__ = ["HOW_TO_READ"]

HOW_TO_READ: tuple[tuple[str, str], ...] = (
    (
        "Points",
        "Hundredths of the score: with 200 test items, half a point is one item. From 12 to 43 points means from 12 "
        "to 43 right answers in a hundred.",
    ),
    (
        "Interval [low, high]",
        "The range of true values that the measurement is compatible with, at 95 % confidence unless another level is "
        "given. An interval of a change that includes 0 means: this may be chance.",
    ),
    (
        "Change",
        "After minus before on the same items. It is more precise than the difference of two levels: two levels whose "
        "intervals overlap can still differ for certain, so read the change.",
    ),
    (
        "Cannot tell",
        "The interval includes 0 and the test was too small to find a change that would matter. It is not evidence "
        "that nothing happened. “No measurable change” is said only where the test would have found one that matters; "
        "“detectable” is the smallest change that it would have found four times out of five.",
    ),
    (
        "General ability",
        "The plain mean of four abilities that your data does not teach: following instructions, arithmetic, common "
        "knowledge, reading. Each counts the same, however many items it has.",
    ),
    (
        "Broken and mended",
        "Items that were right before and are wrong now, and the reverse. A model can keep its average and still break "
        "answers that people relied on.",
    ),
    (
        "General text",
        "How surprised the model is by ordinary prose, in nats per token (negative log-likelihood). Lower is better; "
        "a rise of 0.1 is about 10 % more perplexity.",
    ),
    (
        "Distance from the base",
        "Kullback-Leibler divergence from the base model to the tuned one on the base's own replies, in nats per "
        "token. 0 is the base itself. It moves before abilities do.",
    ),
    (
        "What this does not say",
        "Nothing about larger models, other data, other seeds, or safety. One run is one draw: repeat it with another "
        "seed before you rely on small differences.",
    ),
)

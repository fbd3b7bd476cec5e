"""The families that the papers are sorted into, by the question each asks."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FAMILIES"]

FAMILIES: Mapping[str, str] = {
    "tuning": "Fine-tuning data, objectives and distillation: what a model learns from, and what it forgets.",
    "weak-to-strong": "Supervision by weaker models and people: weak labels, debate, verifiers of steps and results.",
    "preference": "Learning from preferences, values and constraints, and changing them later.",
    "decoding": "Alignment and form at generation time, with the weights left alone.",
    "compatibility": "Updating a model or encoder so that what was built on the old one goes on working.",
    "continual": "Learning one thing after another, and measuring what happens in between.",
    "merging": "Combining and transferring models by their weights.",
    "evaluation": "Benchmarks, judges and measures, and how far to trust them.",
    "oversight": "Keeping systems that act and decide under control: agents, guardrails, deception, people.",
    "multimodal": "Supervision across pictures, video and text.",
    "generalisation": "What carries over to other data: batches, symmetries, domains, shortcuts.",
    "matching": "Matching people and jobs from noisy records, with reasons.",
}
"""What each family is about, in the order in which they are listed."""

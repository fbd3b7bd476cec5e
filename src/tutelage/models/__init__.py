"""Models and the engines that speak and score with them.

Names are resolved on first use: PEFT and sentence-transformers take seconds to import and most callers need neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "ControlSet": "controls",
    "ControlSettings": "controls",
    "Encoder": "encoder",
    "LoadedModel": "loading",
    "LoraSettings": "adapter",
    "OpenAIEngine": "openai_engine",
    "RewardModel": "reward",
    "Rollout": "rollout",
    "ScoreCache": "score_cache",
    "TransformersEngine": "engine",
    "VerdictRewardModel": "reward",
    "adapter_off": "adapter",
    "attach_lora": "adapter",
    "detach": "adapter",
    "load": "loading",
    "load_controls": "controls",
    "open_engine": "opening",
    "sample": "rollout",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"tutelage.models.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'tutelage.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from tutelage.models.adapter import LoraSettings as LoraSettings
    from tutelage.models.adapter import adapter_off as adapter_off
    from tutelage.models.adapter import attach_lora as attach_lora
    from tutelage.models.adapter import detach as detach
    from tutelage.models.controls import ControlSet as ControlSet
    from tutelage.models.controls import ControlSettings as ControlSettings
    from tutelage.models.controls import load_controls as load_controls
    from tutelage.models.encoder import Encoder as Encoder
    from tutelage.models.engine import TransformersEngine as TransformersEngine
    from tutelage.models.loading import LoadedModel as LoadedModel
    from tutelage.models.loading import load as load
    from tutelage.models.openai_engine import OpenAIEngine as OpenAIEngine
    from tutelage.models.opening import open_engine as open_engine
    from tutelage.models.reward import RewardModel as RewardModel
    from tutelage.models.reward import VerdictRewardModel as VerdictRewardModel
    from tutelage.models.rollout import Rollout as Rollout
    from tutelage.models.rollout import sample as sample
    from tutelage.models.score_cache import ScoreCache as ScoreCache

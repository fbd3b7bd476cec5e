"""Control tokens of one language model: a soft prompt or a LoRA adapter for each attribute that may be asked for.

A soft prompt is kept as further rows of the input embedding, so a control is a run of token ids that only the input
knows: position ids, padding, shared prefixes and caches are then those of any other tokens, and the loop, the decoder
and the scorer of this house need to know nothing of controls. The output layer does not grow: no control can be said.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

from tutelage.errors import ConfigError, ModelError, RegistryError, ShapeError
from tutelage.io import contained, write_json
from tutelage.io.documents import read_json
from tutelage.io.tensors import load_tensors, save_tensors
from tutelage.models.adapter import has_adapter
from tutelage.models.scoring import score_sequences
from tutelage.seeds import derive
from tutelage.types import TokenScores, TokenSequence

__all__ = ["ControlEmbedding", "ControlKind", "ControlSet", "ControlSettings", "load_controls"]

ControlKind = Literal["prompt", "lora"]
RECORD = "controls.json"
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class ControlSettings:
    """Size and start of the controls. The paper's abstract names both kinds; 20 tokens and rank 8 are our reading.

    Attributes:
        kind: ``"prompt"``: ``tokens`` vectors before the prompt; ``"lora"``: an adapter of ``rank`` in every linear
            layer but the output layer, scaled by ``alpha / rank``.
        initial: per attribute, token ids whose embeddings the soft prompt begins with, repeated to its length. An
            attribute without any begins with the embeddings of tokens drawn from the vocabulary by the seed.
    """

    kind: ControlKind = "prompt"
    tokens: int = 20
    rank: int = 8
    alpha: float = 16.0
    initial: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in ("prompt", "lora"):
            raise ConfigError(f"a control is a 'prompt' or 'lora', not {self.kind!r}", where="controls.kind")
        if self.tokens < 1 or self.rank < 1 or self.alpha <= 0:
            raise ConfigError("tokens, rank and alpha must be positive", where="controls")


class ControlEmbedding(nn.Module):
    """The model's embedding [V, D] with the controls' rows [C, D] behind it: ids V .. V + C - 1 are controls."""

    def __init__(self, base: nn.Embedding, control: Tensor) -> None:
        super().__init__()
        self.base = base
        self.control = nn.Parameter(control)

    @property
    def weight(self) -> Tensor:
        """All rows, [V + C, D]."""
        return torch.cat([self.base.weight, self.control])

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings [..., D] of ``ids`` [...]."""
        size = self.base.weight.shape[0]
        plain: Tensor = self.base(ids.clamp(max=size - 1))
        extra = nn.functional.embedding((ids - size).clamp(min=0), self.control)
        return torch.where((ids >= size)[..., None], extra.to(plain.dtype), plain)


class ControlSet:
    """One control for each attribute, in place on ``model``.

    Args:
        model: a causal LM without an adapter; it is changed in place. :meth:`plain_model` gives it back.
        attributes: what may be asked for, such as ``("good", "bad")``; at least two.
        settings: kind, size and start.
        seed: for what is drawn at the start.

    Attributes:
        model: the model to train, score and generate with.

    Raises:
        ConfigError: fewer than two attributes, a name that cannot be a folder's, one that stands twice.
        ModelError: the model has an adapter or controls already.

    Source: MEET (arXiv 2310.00819), abstract; sizes and starts are our reading. Soft prompts: Lester et al. 2021.

    Example:
        >>> controls = ControlSet(model, ("brief", "long"))  # doctest: +SKIP
    """

    def __init__(
        self,
        model: PreTrainedModel,
        attributes: Sequence[str],
        settings: ControlSettings | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.attributes = _checked(attributes)
        self.settings = settings or ControlSettings()
        if has_adapter(model) or isinstance(model.get_input_embeddings(), ControlEmbedding):
            raise ModelError("the model has an adapter or controls already", hint="start from a plain model")
        for name in self.settings.initial:
            self.check(name)
        if self.settings.kind == "prompt":
            embedding: Any = model.get_input_embeddings()
            self._vocabulary = len(embedding.weight)
            model.set_input_embeddings(ControlEmbedding(embedding, self._start(embedding.weight.detach(), seed)))
            self.model: Any = model
        else:
            self.model = self._with_adapters(model, seed)

    # --- asking for an attribute -------------------------------------------------------------------------------

    def check(self, attribute: str) -> None:
        """Refuse an attribute that there is no control for.

        Raises:
            RegistryError: it is not known; the hint lists those that are.
        """
        if attribute not in self.attributes:
            raise RegistryError(f"there is no control {attribute!r}", hint=f"known are: {', '.join(self.attributes)}")

    def ids(self, attribute: str) -> tuple[int, ...]:
        """Token ids to put before a prompt: the soft prompt's, or none for LoRA."""
        self.check(attribute)
        if self.settings.kind == "lora":
            return ()
        first = self._vocabulary + self.attributes.index(attribute) * self.settings.tokens
        return tuple(range(first, first + self.settings.tokens))

    @contextmanager
    def using(self, attribute: str) -> Iterator[None]:
        """Within, the model's adapter is that of ``attribute``; for soft prompts nothing changes (:meth:`ids` does).

        What needs a gradient stays as it is.
        """
        self.check(attribute)
        if self.settings.kind == "prompt":
            yield
            return
        before = str(self.model.active_adapter)
        self._select(attribute)
        try:
            yield
        finally:
            self._select(before)

    def score(self, sequences: Sequence[TokenSequence], attribute: str) -> list[TokenScores]:
        """log p(token | control, what is before it) of the tokens from each sequence's ``start`` on."""
        control = self.ids(attribute)
        with self.using(attribute):
            moved = [TokenSequence(control + one.ids, len(control) + one.start) for one in sequences]
            return score_sequences(self.model, moved)

    # --- training ----------------------------------------------------------------------------------------------

    def parameters(self) -> list[nn.Parameter]:
        """The controls' own parameters."""
        if self.settings.kind == "prompt":
            return [self.model.get_input_embeddings().control]
        return [one for name, one in self.model.named_parameters() if "lora_" in name]

    def require_gradients(self, *, model: bool) -> None:
        """The controls are trained; the language model itself too if ``model``."""
        self.model.requires_grad_(model)
        for one in self.parameters():
            one.requires_grad_(True)

    # --- files -------------------------------------------------------------------------------------------------

    def plain_model(self) -> PreTrainedModel:
        """A copy of the language model without its controls: what a second stage has made of it."""
        found: Any = copy.deepcopy(self.model)
        if self.settings.kind == "lora":
            plain: PreTrainedModel = found.unload()
            if hasattr(plain, "peft_config"):
                del plain.peft_config
            return plain
        found.set_input_embeddings(found.get_input_embeddings().base)
        found.tie_weights()
        return found  # type: ignore[no-any-return]

    def export(self, folder: Path) -> None:
        """Write one PEFT adapter folder an attribute, and a record that :func:`load_controls` reads.

        The adapters belong to the language model as it is now: after a joint stage, save :meth:`plain_model` too.
        """
        for name in self.attributes:
            place = contained(folder, name)
            place.mkdir(parents=True, exist_ok=True)
            if self.settings.kind == "prompt":
                self._export_prompt(name, place)
        if self.settings.kind == "lora":
            self.model.save_pretrained(str(folder), selected_adapters=list(self.attributes))
        record = {"kind": self.settings.kind, "attributes": list(self.attributes), "tokens": self.settings.tokens}
        write_json(folder / RECORD, {**record, "rank": self.settings.rank, "alpha": self.settings.alpha})

    def _export_prompt(self, attribute: str, place: Path) -> None:
        config = PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.settings.tokens,
            token_dim=self.model.config.get_text_config().hidden_size,
            base_model_name_or_path=str(self.model.config.name_or_path),
            inference_mode=True,
        )
        config.save_pretrained(str(place))
        rows = self._rows(attribute)
        table = self.model.get_input_embeddings().control.detach()[rows].cpu().contiguous()
        save_tensors(place / "adapter_model.safetensors", {"prompt_embeddings": table}, {"format": "pt"})

    # --- how they begin ----------------------------------------------------------------------------------------

    def _rows(self, attribute: str) -> slice:
        first = self.attributes.index(attribute) * self.settings.tokens
        return slice(first, first + self.settings.tokens)

    def _start(self, table: Tensor, seed: int) -> Tensor:
        rows = []
        for name in self.attributes:
            given = list(self.settings.initial.get(name, ()))
            if not given:
                draw = torch.Generator().manual_seed(derive(seed, "controls", self.attributes.index(name)))
                given = torch.randint(len(table), (self.settings.tokens,), generator=draw).tolist()
            rows += [given[i % len(given)] for i in range(self.settings.tokens)]
        return table[torch.tensor(rows, device=table.device)].clone()

    def _with_adapters(self, model: PreTrainedModel, seed: int) -> Any:
        found: Any = None
        with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
            for place, name in enumerate(self.attributes):
                torch.manual_seed(derive(seed, "controls", place))
                if found is None:
                    found = get_peft_model(model, self._lora(), adapter_name=name)
                else:
                    found.add_adapter(name, self._lora())
        found.set_adapter(self.attributes[0])
        return found.eval()

    def _lora(self) -> LoraConfig:
        return LoraConfig(
            r=self.settings.rank,
            lora_alpha=self.settings.alpha,  # type: ignore[arg-type] # PEFT divides by the rank, any number will do
            target_modules="all-linear",
            task_type="CAUSAL_LM",
            bias="none",
        )

    def _select(self, attribute: str) -> None:
        """PEFT's switch, without its side effect on which parameters need a gradient."""
        needed = [(one, one.requires_grad) for one in self.model.parameters()]
        self.model.set_adapter(attribute)
        for one, wanted in needed:
            one.requires_grad_(wanted)


def load_controls(model: PreTrainedModel, folder: Path) -> ControlSet:
    """Put exported controls on the language model that they belong to.

    Raises:
        ModelError: the folder holds no controls.
        ShapeError: the controls were made for a model of another width.
    """
    if not (folder / RECORD).is_file():
        raise ModelError("there are no controls here", where=str(folder), hint=f"{RECORD} is missing; see export")
    record = read_json(folder / RECORD)
    settings = ControlSettings(record["kind"], record["tokens"], record["rank"], record["alpha"])
    attributes = tuple(record["attributes"])
    found = ControlSet(model, attributes, settings)
    for name in attributes:
        place = contained(folder, name)
        if settings.kind == "lora":
            _read_adapter(found.model, place, name)
        else:
            table = load_tensors(place / "adapter_model.safetensors")["prompt_embeddings"]
            control = found.model.get_input_embeddings().control
            if table.shape[1] != control.shape[1]:
                raise ShapeError(f"controls of width {table.shape[1]}, a model of width {control.shape[1]}")
            with torch.no_grad():
                control[found._rows(name)] = table.to(control)
    return found


def _read_adapter(model: PeftModel, place: Path, name: str) -> None:
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, load_tensors(place / "adapter_model.safetensors"), adapter_name=name)


def _checked(attributes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(attributes)
    if len(set(names)) < 2 or len(set(names)) != len(names):
        raise ConfigError(f"two or more different attributes are needed, not {names}", where="controls")
    odd = [name for name in names if not _NAME.fullmatch(name)]
    if odd:
        raise ConfigError(f"{odd[0]!r} cannot name a control", where="controls", hint="letters, digits, - and _")
    return names

"""A guard against parameters that are trained by accident only half: forgotten by the optimizer or by the clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from tutelage.errors import ConfigError

__all__ = ["check_covered"]


def check_covered(
    modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, clipped: Iterable[Tensor] | None
) -> None:
    """Refuse a training in which a trainable parameter is not updated, or not under the gradient clip.

    Auxiliary modules (projections of feature distillation, heads) are easily left out of one of the two. Nothing
    fails then: the projections stay random, or one half of the network is clipped and the other is not.

    Args:
        modules: everything that is to be trained, by the name to use in the error.
        optimizer: that updates it.
        clipped: the tensors whose gradients are clipped together; None where nothing is clipped.

    Raises:
        ConfigError: a parameter is missing from the optimizer or the clip, or the clip holds one that is not updated.

    Source: own derivation, from a fault in the code of KD capacity (arXiv 2605.31191), where the clip left the
        projections out.
    """
    updated = {id(one) for group in optimizer.param_groups for one in group["params"]}
    under = None if clipped is None else {id(one) for one in clipped}
    for owner, module in modules.items():
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            if id(parameter) not in updated:
                raise _forgotten(f"{owner}.{name}", "the optimizer does not update it")
            if under is not None and id(parameter) not in under:
                raise _forgotten(f"{owner}.{name}", "the gradient clip leaves it out")
    if under is not None and not under <= updated:
        raise ConfigError(
            f"{len(under - updated)} tensors are clipped but not updated by the optimizer",
            where="gradient clip",
            hint="clip what the optimizer updates",
        )


def _forgotten(name: str, what: str) -> ConfigError:
    return ConfigError(
        f"a parameter is to be trained but {what}",
        where=name,
        hint="give the optimizer and the clip the parameters of every module, auxiliary ones too",
    )

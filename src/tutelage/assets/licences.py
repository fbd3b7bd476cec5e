"""Which terms the contents of the kit come under, and the refusal to train on what must not be trained on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict

from tutelage.assets.entries import get
from tutelage.errors import LicenceError

__all__ = ["licence_report", "refuse_for_training"]


def licence_report(names: Iterable[str]) -> list[dict[str, object]]:
    """One JSON-ready record per asset for a run's manifest and report.

    Args:
        names: names of assets.

    Returns:
        Records with the keys name, kind, distribution, version, sha256, spdx, url, attribution, share_alike,
        noncommercial, eval_only, checked, train_ok.

    Raises:
        AssetError: there is no such asset.

    Example:
        >>> licence_report(["asdiv"])[0]["spdx"]
        'CC-BY-NC-4.0'
    """
    records: list[dict[str, object]] = []
    for name in names:
        asset = get(name)
        pin = asset.distribution
        records.append(
            {
                "name": name,
                "kind": asset.kind,
                "distribution": pin.name,
                "version": pin.version,
                "sha256": pin.sha256,
                **asdict(asset.licence),
                "train_ok": asset.licence.train_ok,
            }
        )
    return records


def refuse_for_training(names: Iterable[str], *, allow: Collection[str] = ()) -> None:
    """Raise if rows of any of these assets must not be trained on.

    Args:
        names: names of assets.
        allow: names that the user takes responsibility for.

    Raises:
        LicenceError: an asset is evaluation-only or non-commercial; all such are named.
        AssetError: there is no such asset.
    """
    refused = []
    for name in names:
        licence = get(name).licence
        if not licence.train_ok and name not in allow:
            reason = "evaluation only" if licence.eval_only else "non-commercial"
            refused.append(f"{name} ({reason}, {licence.spdx})")
    if refused:
        raise LicenceError(
            "not for training: " + ", ".join(refused),
            hint="use other data, or allow these by name if you have checked that you may",
        )

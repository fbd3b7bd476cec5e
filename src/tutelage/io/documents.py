"""JSON documents that Tutelage wrote, and values made fit for one."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from tutelage.errors import DataError

__all__ = ["finite", "read_json"]


def read_json(path: str | os.PathLike[str]) -> Any:
    """The value in a JSON file.

    Raises:
        DataError: the file is missing, cannot be read, is not UTF-8 or not JSON, named with the line.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError("the file is missing", where=os.fspath(path)) from error
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror or error}", where=os.fspath(path)) from error
    except RecursionError as error:
        raise DataError("the document is nested too deeply", where=os.fspath(path)) from error
    except ValueError as error:  # not UTF-8, not JSON, a number of too many digits
        raise DataError(f"not a JSON document: {error}", where=os.fspath(path)) from error


def finite(value: Any) -> Any:
    """``value`` with None in place of infinities and NaN, which JSON has no words for, all the way down.

    Example:
        >>> finite({"low": float("-inf"), "ends": (0.5, float("nan"))})
        {'low': None, 'ends': [0.5, None]}
    """
    if isinstance(value, dict):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

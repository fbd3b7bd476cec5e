"""Strict configuration: frozen dataclasses from TOML or YAML, overrides and flags, every value with its origin."""

from tutelage.config.loading import Resolved, from_dict, load
from tutelage.config.settings import Setting, describe
from tutelage.config.writing import dump_toml, to_dict

__all__ = ["Resolved", "Setting", "describe", "dump_toml", "from_dict", "load", "to_dict"]

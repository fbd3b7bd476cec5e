"""Files that are complete or absent: atomic writes, JSON lines, tensors, and paths that cannot escape their folder.

:mod:`tutelage.io.tensors` is imported by name where it is needed, because it loads torch;
:mod:`tutelage.io.sqlite` opens our databases.
"""

from tutelage.io.atomic import (
    atomic_file,
    atomic_folder,
    clean_stale,
    verify_folder,
    write_bytes,
    write_json,
    write_text,
)
from tutelage.io.jsonl import JsonlLog, Line, append_jsonl, read_jsonl, write_jsonl
from tutelage.io.paths import contained, content_hash, file_sha256, home

__all__ = [
    "JsonlLog",
    "Line",
    "append_jsonl",
    "atomic_file",
    "atomic_folder",
    "clean_stale",
    "contained",
    "content_hash",
    "file_sha256",
    "home",
    "read_jsonl",
    "verify_folder",
    "write_bytes",
    "write_json",
    "write_jsonl",
    "write_text",
]

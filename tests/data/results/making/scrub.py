"""Takes out of written results what belongs to the machine that wrote them; all else stays as it was.

scrub.py FOLDER: every .json, .jsonl and .eval below it is rewritten. Texts of tracebacks become one line; the places of
Python files, the folder worked in, host and processor are replaced by made-up ones.
"""

import json
import re
import socket
import sys
import zipfile
from pathlib import Path

import inspect_ai.log  # noqa: F401  teaches zipfile zstandard, which newer logs are packed with

HERE = str(Path.cwd())
PLACES = re.compile(r"/(?:[\w.+-]+/)+(?=[\w.+-]+\.py\b)")


def scrubbed(value):
    if isinstance(value, dict):
        return {key: _part(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [scrubbed(part) for part in value]
    if isinstance(value, str):
        return PLACES.sub("/made/up/", value.replace(HERE, "/made/up").replace(socket.gethostname(), "host"))
    return value


def _part(key, part):
    if key in ("traceback", "traceback_ansi") and isinstance(part, str):
        return "Traceback (most recent call last): ..."
    if key == "pretty_env_info":
        return "..."
    return scrubbed(part)


def rewritten(text: str) -> str:
    return json.dumps(scrubbed(json.loads(text)), ensure_ascii=False, indent=2 if text.startswith("{\n") else None)


for path in sorted(Path(sys.argv[1]).rglob("*")):
    if path.suffix == ".json":
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
    elif path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").split("\n")
        path.write_text("\n".join(rewritten(line) if line else line for line in lines), encoding="utf-8")
    elif path.suffix == ".eval":
        with zipfile.ZipFile(path) as archive:
            members = [(info.filename, info.compress_type, archive.read(info)) for info in archive.infolist()]
        with zipfile.ZipFile(path, "w") as archive:
            for name, compression, data in members:
                archive.writestr(name, rewritten(data.decode()), compress_type=compression)

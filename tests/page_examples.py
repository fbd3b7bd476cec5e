"""The Python blocks of a page of the docs, run one after another in one namespace."""

import ast
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def run_page(name):
    """What the bare expressions of the blocks gave, in order, and the names that the blocks left."""
    names, said = {}, []
    for code in re.findall(r"```python\n(.*?)```", (DOCS / name).read_text("utf-8"), re.S):
        for node in ast.parse(code).body:
            if isinstance(node, ast.Expr):
                said.append(eval(compile(ast.Expression(node.value), name, "eval"), names))
            else:
                exec(compile(ast.Module([node], []), name, "exec"), names)
    return said, names

"""What outline, metrics and find_references answer, and their agreement with the standard library."""

import ast
import hashlib
import io
import os
import tokenize
from pathlib import Path
from textwrap import dedent

import pytest
from engine.agents.code import run

SEED = os.environ.get("FLEET_TEST_SEED", "outline-1")

MODULE = dedent('''
    import os.path as osp, name
    from a.name import name as n2
    @deco.x( 1 )  # why
    @b
    class Foo(Base, name=3):
        """Doc."""
        if 1:
            def bar(self, a, /, name, *rest, k=1, **kw):
                return name(name.name(name=1))
        async def get(self, *, b): return [name for name in x]  # tail

            # a comment is no line of get
    def _outer():
        "a" "b"
        def inner():
            b"no docstring"
            class Deep: f"no docstring"
        name: int = 3; b = name.x = 4
        f"{name!r:>{name}} name"  # name
        match name:
            case P(name=name) | [*name] | {"a": 1, **name}: pass
            case name.x: pass
        del name
        for (a, [*name]), x.name, y[name] in name: global name
        with name as name, open() as (name, b): name += 1
        lambda name=name: (name := 1)
        try: pass
        except name as name: pass
''').lstrip("\n")


def rows(source: str, operation: str, key: str, **payload: object) -> list[dict[str, object]]:
    answer = run(operation, {"source": source, **payload})[key]
    assert isinstance(answer, list)
    return answer


def test_outline_lists_definitions_with_kinds_names_and_lines():
    answer = run("code.outline", {"source": MODULE})
    assert [tuple(row.values())[:6] for row in answer["definitions"]] == [
        ("class", "Foo", "Foo", 5, 10, None),
        ("method", "bar", "Foo.bar", 8, 9, 6),
        ("async method", "get", "Foo.get", 10, 10, 2),
        ("function", "_outer", "_outer", 13, 28, 0),
        ("function", "inner", "_outer.<locals>.inner", 15, 17, 0),
        ("class", "Deep", "_outer.<locals>.inner.<locals>.Deep", 17, 17, None),
    ]
    assert answer["totals"] == {"functions": 4, "classes": 2, "lines": 28}


def test_outline_tells_decorators_and_docstrings():
    definitions = rows(MODULE, "code.outline", "definitions")
    assert definitions[0]["decorators"] == ["deco.x( 1 )", "b"]
    assert [row["docstring"] for row in definitions] == [True, False, False, True, False, False]
    assert rows("@ (\n a) \nasync def f():\n  ('x')\n", "code.outline", "definitions") == [
        {
            "kind": "async function",
            "name": "f",
            "qualname": "f",
            "line": 3,
            "end_line": 4,
            "parameters": 0,
            "decorators": ["(\n a)"],
            "docstring": True,
        }
    ]


@pytest.mark.parametrize(
    ("body", "complexity", "nesting"),
    [
        ("pass", 1, 0),
        ("if a: pass\n elif b: pass\n else: pass", 3, 1),
        ("if a:\n  if b: pass\n else:\n  while c:\n   for d in e: pass", 5, 3),
        ("for a in b: pass\n else: pass", 3, 1),
        ("while a: pass\n else: pass", 3, 1),
        ("try: pass\n except A: pass\n except B: pass\n else: pass\n finally: pass", 4, 1),
        ("try: pass\n except* A: pass\n else: pass", 3, 1),
        ("with a: return b if c else d", 2, 1),
        ("async with a:\n  async for b in c: pass", 2, 2),
        ("assert a and b, c or d", 2, 0),
        ("return a and b and c or d", 4, 0),
        ("return [a for b in c if d if e for f in g]", 5, 0),
        ("return lambda: a if b else c", 2, 0),
        ("return f'{a or b}'", 2, 0),
        ("match a:\n  case 1: pass\n  case 2: pass", 3, 1),
        ("match a:\n  case 1: pass\n  case [x] if y: pass\n  case _: pass", 3, 1),
        ("match a:\n  case b: pass", 1, 1),
        ("def g(x=a or b):\n  if c: pass", 1, 0),
        ("class G(a or b):\n  if c: pass", 1, 0),
    ],
)
def test_complexity_and_nesting_follow_the_table(body, complexity, nesting):
    source = f"@(a or b)\nasync def f(x=a or b) -> (a or b):\n {body}\n"
    first = rows(source, "code.metrics", "functions")[0]
    assert (first["qualname"], first["complexity"], first["nesting"]) == ("f", complexity, nesting)
    assert (first["line"], first["length"]) == (2, source.count("\n") - 1)


def test_metrics_add_up_to_totals():
    answer = run("code.metrics", {"source": MODULE})
    assert [row["qualname"] for row in answer["functions"]] == [
        "Foo.bar",
        "Foo.get",
        "_outer",
        "_outer.<locals>.inner",
    ]
    assert answer["totals"] == {
        "functions": 4,
        "lines": 28,
        "complexity": 9,
        "length_max": 16,
        "complexity_max": 5,
        "nesting_max": 1,
        "parameters_max": 6,
    }
    assert run("code.metrics", {"source": "x = 1"})["totals"]["complexity_max"] == 0


def test_references_are_found_with_their_kinds():
    answer = run("code.find_references", {"source": MODULE, "name": "name"})
    found = [(row["line"], row["column"], row["kind"]) for row in answer["references"]]
    definition, attribute, use = "definition", "attribute", "use"
    assert found == [
        *[(1, 23, "import"), (2, 7, "import"), (2, 19, "import"), (5, 16, attribute)],
        *[
            (8, 28, definition),
            (9, 19, "call"),
            (9, 24, use),
            (9, 29, attribute),
            (9, 34, attribute),
        ],
        *[(10, 39, use), (10, 48, definition), (18, 4, definition), (18, 23, use)],
        *[(19, 7, use), (19, 16, use), (20, 10, use), (21, 15, attribute), (21, 20, definition)],
        *[(21, 30, definition), (21, 49, definition), (22, 13, use), (23, 8, use)],
        *[(24, 14, definition), (24, 24, attribute), (24, 32, use), (24, 41, use), (24, 54, use)],
        *[(25, 9, use), (25, 17, definition), (25, 34, definition), (25, 44, definition)],
        *[(26, 11, definition), (26, 16, use), (26, 23, definition)],
        *[(28, 11, use), (28, 19, definition)],
    ]
    assert sum(answer["totals"].values()) == len(found)
    assert answer["totals"]["import"] == 3


@pytest.mark.parametrize(
    ("source", "column"),
    [("é = 1; name", 7), ("\tname", 1), ("\fname", 1), ("(\r\n  name)", 2), ("# ☃\rname", 0)],
)
def test_columns_count_characters_from_zero(source, column):
    source = source if source[0] != "\t" else "if 1:\n" + source
    (row,) = rows(source, "code.find_references", "references", name="name")
    assert row["column"] == column


def test_newer_syntax_is_read():
    source = "type name[name, *T, **P] = int\ndef f[name](x: name): pass\nt'{name}'\n"
    found = rows(source, "code.find_references", "references", name="name")
    assert [row["kind"] for row in found] == [
        "definition",
        "definition",
        "definition",
        "use",
        "use",
    ]


def library_sample() -> list[Path]:
    """Fifteen files of the standard library by the seed; its tests are no sample of ordinary code."""
    root = Path(os.__file__).parent
    files = [
        path
        for path in sorted(root.rglob("*.py"))
        if path.stat().st_size < 30_000
        and not {"site-packages", "test", "tests", "idlelib"} & set(path.parts)
    ]
    files.sort(
        key=lambda path: hashlib.sha256(f"{SEED} {path.relative_to(root)}".encode()).digest()
    )
    return files[:15]


def test_outline_and_references_agree_with_the_standard_library():
    for path in library_sample():
        place = f"{path}; again with FLEET_TEST_SEED={SEED}"
        data = path.read_bytes()
        nodes = list(ast.walk(ast.parse(data)))
        functions = [n for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
        classes = [n for n in nodes if isinstance(n, ast.ClassDef)]
        answer = run("code.outline", {"path": str(path)})
        assert answer["totals"]["functions"] == len(functions), place
        assert answer["totals"]["classes"] == len(classes), place
        assert sorted(
            (row["line"], row["end_line"], row["name"], row["docstring"])
            for row in answer["definitions"]
        ) == sorted(
            (n.lineno, n.end_lineno, n.name, ast.get_docstring(n, clean=False) is not None)
            for n in functions + classes
        ), place
        # Fields of formatted strings are tokens only since Python 3.12: ours may be more.
        tokens = tokenize.tokenize(io.BytesIO(data).readline)
        names = {t.start for t in tokens if t.type == tokenize.NAME and t.string == "self"}
        found = rows(data.decode(), "code.find_references", "references", name="self")
        assert names <= {(row["line"], row["column"]) for row in found}, place

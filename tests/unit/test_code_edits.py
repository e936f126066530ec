"""What rename, remove_calls and add_docstrings change, their diffs, and when a file is written."""

import ast
import os
import re
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest
from engine.agents.code import CodeError, run
from engine.agents.code.python.parsing import parse
from engine.editing.edits import Edit, finish
from engine.editing.source import Source
from engine.editing.splices import Splice, splice, unified_diff
from engine.editing.writing import write
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples


def patched(text: str, diff: str) -> str:
    """Apply a unified diff, checking every line of context and every count, as patch does."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    after: list[str] = []
    at = 0
    for hunk in re.split(r"(?m)^(?=@@ )", diff)[1:]:
        head, body = hunk.split("\n", 1)
        ranges = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", head)
        assert ranges is not None
        start, size, new_start, new_size = (int(1 if n is None else n) for n in ranges.groups())
        rows = re.findall(r"([-+ ])(.*\n)(\\ No newline at end of file\n)?", body)
        assert "".join(map("".join, rows)) == body
        after += lines[at : start - (size > 0)]
        at = start - (size > 0)
        assert len(after) == new_start - (new_size > 0)
        assert (size, new_size) == tuple(sum(r[0] in mark for r in rows) for mark in (" -", " +"))
        for mark, line, unended in rows:
            content = line[:-1] if unended else line
            if mark != "+":
                assert lines[at] == content
                at += 1
            if mark != "-":
                after.append(content)
    return "".join(after + lines[at:])


def edited(operation: str, source: str, **payload: object) -> tuple[str, dict[str, object]]:
    """Give the text after an edit, by way of the diff, and the rest of the answer."""
    answer = run(operation, {"source": source, **payload})
    diff = answer.pop("diff")
    assert isinstance(diff, str)
    assert (answer.pop("path"), answer.pop("applied")) == (None, False)
    after = patched(source, diff)
    assert answer.pop("provenance") == {
        "operation": operation,
        "engine": f"regular (LibCST {version('libcst')})",
        "language": "python",
        "before_sha256": sha256(source.encode()).hexdigest(),
        "after_sha256": sha256(after.encode()).hexdigest(),
    }
    assert answer.pop("changed") == (after != source) == bool(diff)
    return after, answer


NAMES = (
    "import a.n, n as m\nn = x.n(n, n=1)\n'n' # n\ndef n(n): f'{n=}'\nmatch n:\n case n(n=n): n\n"
)


@pytest.mark.parametrize(
    ("attributes", "after", "edits"),
    [
        (
            False,
            "import a.n, q as m\nq = x.n(q, n=1)\n'n' # n\ndef q(q): f'{q=}'\nmatch q:\n case q(n=q): q\n",
            10,
        ),
        (
            True,
            "import a.q, q as m\nq = x.q(q, q=1)\n'n' # n\ndef q(q): f'{q=}'\nmatch q:\n case q(q=q): q\n",
            14,
        ),
    ],
)
def test_rename_changes_identifiers_and_on_request_attributes(attributes, after, edits):
    answer = edited("code.rename", NAMES, name="n", to="q", attributes=attributes)
    assert answer == (after, {"edits": edits, "clashes": 0})


def test_rename_to_the_same_name_or_of_no_name_changes_nothing():
    unchanged = {"edits": 0, "clashes": 0}
    assert edited("code.rename", NAMES, name="n", to="n") == (NAMES, unchanged)
    assert edited("code.rename", NAMES, name="absent", to="n") == (NAMES, unchanged)


def test_rename_counts_clashes_and_refuses_those_that_do_not_compile():
    assert edited("code.rename", "a = b\nc.b\n", name="a", to="b") == (
        "b = b\nc.b\n",
        {"edits": 1, "clashes": 1},
    )
    with pytest.raises(CodeError) as caught:
        run("code.rename", {"source": "def f(a, b): pass\n", "name": "a", "to": "b"})
    assert (caught.value.kind, caught.value.line) == ("broken_edit", 1)
    assert "duplicate argument" in caught.value.message
    for source, name, to in (
        ("x = 1\n", "x", "__debug__"),
        ("from __future__ import annotations\n", "annotations", "b"),
        ("class A:\n    def f(self):\n        nonlocal __class__\n", "__class__", "b"),
    ):
        with pytest.raises(CodeError, match="would not be valid"):
            run("code.rename", {"source": source, "name": name, "to": to})
    # What Python refused before is not this edit's doing.
    source = "def f(a, b, b): pass\n"
    assert edited("code.rename", source, name="a", to="b")[0] == "def f(b, b, b): pass\n"


@pytest.mark.parametrize(
    ("source", "after", "edits", "kept"),
    [
        ("print(1)\n", "", 1, 0),
        ("a\nprint(1)", "a\n", 1, 0),
        ("x = print(1)\n[print(2)]\n", "x = print(1)\n[print(2)]\n", 0, 2),
        ("print(print(1))\nprint\n", "print\n", 1, 0),
        ("(print)(1)\n(print(1))\nx.print(1)\nprint(1).x\n", "x.print(1)\nprint(1).x\n", 2, 1),
        ("# above\n\nprint(1)  # behind\nb\n", "# above\n\n# behind\nb\n", 1, 0),
        ("a\nprint(\n  1,\n)\nb\n", "a\nb\n", 1, 0),
        ("print(1); a; b\n", "a; b\n", 1, 0),
        ("a; print(1); b\n", "a; b\n", 1, 0),
        ("a; print(1)  # c\n", "a  # c\n", 1, 0),
        ("a ;  print(1) ;\n", "a ;\n", 1, 0),
        ("print(1); print(2); a; print(3); print(4)\n", "a\n", 4, 0),
        ("print(1); print(2);\n", "", 2, 0),
        ("if a: print(1)\n", "if a: pass\n", 1, 0),
        ("if a: print(1); print(2);  # c\n", "if a: pass;  # c\n", 2, 0),
        ("if a: b; print(1)\nelse: print(1); b\n", "if a: b\nelse: b\n", 2, 0),
        ("if a:\n\tprint(1)  # c\n\n\tprint(2)\nb\n", "if a:\n\tpass  # c\n\nb\n", 2, 0),
        ("if a:\n  print(1); print(2)\n", "if a:\n  pass\n", 2, 0),
        ("if a:\n  b\n  print(1)\n  # c\n", "if a:\n  b\n  # c\n", 1, 0),
        ("if a:\n  if b:\n    print(1)\n  print(2)\n", "if a:\n  if b:\n    pass\n", 2, 0),
        ("def f():\n  'doc'\n  print(1)", "def f():\n  'doc'\n", 1, 0),
        ("if a:\r\n  b\r\n  print(1)\r\n", "if a:\r\n  b\r\n", 1, 0),
        ("if a:\r  b\r  print(1)\r", "if a:\r  b\r", 1, 0),
        ("async def f():\n  await print(1)\n", "async def f():\n  await print(1)\n", 0, 1),
        ("class A: print(1)", "class A: pass", 1, 0),
    ],
)
def test_remove_calls_takes_whole_statements_and_leaves_the_rest(source, after, edits, kept):
    answer = edited("code.remove_calls", source, function="print")
    assert answer == (after, {"edits": edits, "kept": kept})


def test_remove_calls_takes_dotted_names():
    source = "import pdb\npdb.set_trace()\nx.pdb.set_trace()\nset_trace()\npdb . set_trace ()\npdb.set_trace\n"
    after = "import pdb\nx.pdb.set_trace()\nset_trace()\npdb.set_trace\n"
    answer = edited("code.remove_calls", source, function="pdb.set_trace")
    assert answer == (after, {"edits": 2, "kept": 0})


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("def f(): return 1\n", 'def f():\n    """F."""\n    return 1\n'),
        ("def f(): a; b  # c", 'def f():\n    """F."""\n    a; b  # c'),
        ("def f(): \\\n  a\n", 'def f():\n    """F."""\n    a\n'),
        ("class A: pass\nx\n", 'class A:\n    """A."""\n    pass\nx\n'),
        ("def f():\n  a\n", 'def f():\n  """F."""\n  a\n'),
        ("def f():  # why\n\n\t# here\n\ta\n", 'def f():  # why\n\t"""F."""\n\n\t# here\n\ta\n'),
        (
            "@d(\n  1)\nasync def f():\r\n  @e\n  def g(): a\n",
            '@d(\n  1)\nasync def f():\r\n  """F."""\n  @e\n  def g(): a\n',
        ),
        (
            "class HTTPServer2:\n  async def getX_now(self): pass\n  x = 1\n",
            'class HTTPServer2:\n  """HTTP server 2."""\n  async def getX_now(self):\n    """Get x now."""\n    pass\n  x = 1\n',
        ),
        (
            "class A:\r\n\tdef f(self): pass",
            'class A:\r\n\t"""A."""\r\n\tdef f(self):\r\n\t\t"""F."""\r\n\t\tpass',
        ),
        ("if 1:\n    def f(): pass\n", 'if 1:\n    def f():\n        """F."""\n        pass\n'),
        ("def Éa_ñ(): 0\n", 'def Éa_ñ():\n    """Éa ñ."""\n    0\n'),
        ("def f():\r  0\r", 'def f():\r  """F."""\r  0\r'),
    ],
)
def test_docstrings_are_placed_and_indented(source, after):
    assert edited("code.add_docstrings", source)[0] == after


@pytest.mark.parametrize(
    "source",
    [
        "def f(): 'doc'\n",
        "class A:\n  'a' \"b\"\n",
        "def _f(): pass\n",
        "class _A:\n  def f(): pass\n",
        "class A:\n  'doc'\n  def __init__(self): pass\n  class _B:\n    def f(): pass\n",
        "def f():\n  '''doc'''\n  def g(): pass\n  class B: pass\n",
    ],
)
def test_what_is_private_or_has_a_docstring_is_left_alone(source):
    assert edited("code.add_docstrings", source) == (source, {"edits": 0})


def test_the_docstring_follows_the_template():
    source = "class Job:\n  'doc'\n  async def run_all(self): pass\ndef run(): pass\n"
    after, answer = edited(
        "code.add_docstrings", source, template="the {kind} {{{name}}}: {words}!"
    )
    assert re.findall('"""(.*)"""', after) == [
        "The method {run_all}: run all!",
        "The function {run}: run!",
    ]
    assert answer == {"edits": 2}


def test_the_diff_is_unified_with_three_lines_of_context():
    text = "".join(f"{number}\n" for number in range(1, 31))
    spots = [text.index(f"\n{number}\n") + 1 for number in (2, 9, 17, 30)]
    splices = [Splice(spot, spot + 1, "x") for spot in spots]
    assert unified_diff(text, splices, "a.py") == (
        "--- a.py\n+++ a.py\n"
        "@@ -1,12 +1,12 @@\n 1\n-2\n+x\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n+x\n 10\n 11\n 12\n"
        "@@ -14,7 +14,7 @@\n 14\n 15\n 16\n-17\n+x7\n 18\n 19\n 20\n"
        "@@ -27,4 +27,4 @@\n 27\n 28\n 29\n-30\n+x0\n"
    )


@pytest.mark.parametrize(
    ("text", "splices", "diff"),
    [
        ("", [], ""),
        (
            "a",
            [Splice(0, 1, "b")],
            "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n",
        ),
        ("a\n", [Splice(0, 2, "")], "@@ -1 +0,0 @@\n-a\n"),
        ("a\n", [Splice(0, 0, "b\n")], "@@ -1 +1,2 @@\n+b\n a\n"),
        ("a\nb\n", [Splice(1, 2, "")], "@@ -1,2 +1 @@\n-a\n-b\n+ab\n"),
        ("a\nb\n", [Splice(0, 0, "x\r")], "@@ -1,2 +1,2 @@\n-a\n+x\ra\n b\n"),
        ("a b\n", [Splice(0, 1, "x"), Splice(2, 3, "y")], "@@ -1 +1 @@\n-a b\n+x y\n"),
        ("a\nb\n", [Splice(0, 1, "x"), Splice(2, 3, "y")], "@@ -1,2 +1,2 @@\n-a\n-b\n+x\n+y\n"),
    ],
)
def test_the_diff_of_small_texts(text, splices, diff):
    assert unified_diff(text, splices, "f") == (diff and f"--- f\n+++ f\n{diff}")
    assert patched(text, diff) == splice(text, splices)


def test_the_diff_holds_the_byte_order_mark():
    source = "\ufeffa = 1\nb = a\n"
    assert edited("code.rename", source, name="a", to="c")[0] == "\ufeffc = 1\nb = c\n"


def test_a_result_that_does_not_parse_is_refused():
    source = Source(None, b"a = 1\n", "utf-8", "a = 1\n")
    with pytest.raises(CodeError) as caught:
        finish(source, Edit.of([Splice(4, 5, "(")], count=1), parse)
    assert caught.value.kind == "broken_edit"
    assert "nothing was changed" in caught.value.message


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    place = tmp_path / "workspace"
    place.mkdir()
    (place / "a.py").write_text("a = 1\n")
    (tmp_path / "outside.py").write_text("a = 1\n")
    return place


def rename_a(path: Path, **payload: object) -> dict[str, object]:
    return run("code.rename", {"path": str(path), "name": "a", "to": "b", **payload})


def test_an_edit_without_apply_writes_nothing(workspace):
    answer = rename_a(workspace / "a.py", workspace=str(workspace))
    assert answer["path"] == str(workspace / "a.py")
    assert (answer["changed"], answer["applied"]) == (True, False)
    assert (workspace / "a.py").read_text() == "a = 1\n"


def test_an_applied_edit_replaces_the_file_and_keeps_its_mode(workspace):
    path = workspace / "a.py"
    path.chmod(0o751)
    before = path.stat()
    assert rename_a(path, workspace=str(workspace), apply=True)["applied"]
    assert (path.read_text(), path.stat().st_mode) == ("b = 1\n", before.st_mode)
    assert path.stat().st_ino != before.st_ino  # replaced, not overwritten
    assert os.listdir(workspace) == ["a.py"]  # noqa: PTH208 - hidden files too
    assert not rename_a(path, workspace=str(workspace), apply=True)["applied"]


def test_a_link_inside_the_workspace_stays_a_link(workspace):
    (workspace / "link.py").symlink_to("a.py")
    assert rename_a(workspace / "link.py", workspace=str(workspace), apply=True)["applied"]
    assert (workspace / "link.py").is_symlink()
    assert (workspace / "a.py").read_text() == "b = 1\n"


def test_nothing_is_written_outside_the_workspace(workspace):
    outside = workspace.parent / "outside.py"
    (workspace / "link.py").symlink_to(outside)
    (workspace / "up").symlink_to(workspace.parent)
    for path in (
        outside,
        workspace / "link.py",
        workspace / "up" / "outside.py",
        workspace / ".." / "outside.py",
    ):
        with pytest.raises(CodeError) as caught:
            rename_a(path, workspace=str(workspace), apply=True)
        assert caught.value.kind == "outside_workspace"
    with pytest.raises(CodeError) as caught:
        rename_a(workspace / "a.py", apply=True)
    assert caught.value.kind == "outside_workspace"
    with pytest.raises(CodeError) as caught:
        run("code.add_docstrings", {"source": "", "workspace": str(workspace), "apply": True})
    assert caught.value.kind == "outside_workspace"
    assert outside.read_text() == "a = 1\n"


def test_a_target_that_cannot_be_resolved_is_refused(workspace):
    (workspace / "loop.py").symlink_to("loop.py")
    for path, kind in (("none.py", "not_found"), ("loop.py", "unreadable"), ("a\0", "unreadable")):
        with pytest.raises(CodeError) as caught:
            rename_a(workspace / path, workspace=str(workspace), apply=True)
        assert caught.value.kind == kind
    with pytest.raises(CodeError) as caught:
        rename_a(workspace / "a.py", workspace=str(workspace / "none"), apply=True)
    assert caught.value.kind == "not_found"


def test_a_file_that_changed_meanwhile_is_not_overwritten(workspace):
    with pytest.raises(CodeError) as caught:
        write(workspace / "a.py", b"what was read\n", b"b = 1\n")
    assert caught.value.kind == "conflict"
    assert (workspace / "a.py").read_text() == "a = 1\n"
    assert os.listdir(workspace) == ["a.py"]  # noqa: PTH208 - hidden files too


def test_a_write_that_fails_leaves_nothing_behind(workspace):
    with pytest.raises(CodeError) as caught:
        write(workspace / "none" / "a.py", b"", b"")
    assert caught.value.kind == "unreadable"


SIMPLE = [
    "x = 1",
    "log(x)",
    "log('x', y=log)",
    "y = log(x)",
    "log(x); x",
    "x; log(x)",
    "log(); log()",
]
SIMPLE += [
    "x.log(1)",
    "log(\n 1,\n   2)",
    "'log'",
    "f'{x!r}'",
    "pass  # log(x)",
    "log(1)  # é",
    "log(x);",
]
HEADS = ["if x:", "for x in y:", "while x:", "class Thing:", "def run_it(x, y=1):", "with x as y:"]
HEADS += [
    "@x\ndef Run():",
    "async def go(*x):",
    "try:\n pass\nfinally:",
    "def _f(x):",
    "if 1: pass\nelse:",
]
ENDS = ["\n", "\n\n", "  # why\n", "\n# above\n", ";\n"]


def indented(text: str, indent: str) -> str:
    return re.sub(r"(?m)^(?=.)", indent, text)


def block(bodies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def nest(head: str, indent: str, body: str) -> str:
        return f"{head}\n{indented(body, indent)}"

    one_line = st.builds("{} {}\n".format, st.sampled_from(HEADS), st.sampled_from(SIMPLE))
    nested = st.builds(nest, st.sampled_from(HEADS), st.sampled_from([" ", "\t", "    "]), bodies)
    return st.lists(one_line | nested | bodies, min_size=1, max_size=3).map("".join)


def statement(text: str, end: str) -> str:
    return text + ("\n" if "#" in text or (end == ";\n" and text.endswith(";")) else end)


PROGRAMS = st.recursive(
    st.builds(statement, st.sampled_from(SIMPLE), st.sampled_from(ENDS)), block, max_leaves=12
)
NEWLINES = st.sampled_from(["\n", "\r\n"])


def programs(program: str, newline: str, cut: bool) -> str:
    program = program.replace("\n", newline)
    return program.removesuffix(newline) if cut else program


SOURCES = st.builds(programs, PROGRAMS, NEWLINES, st.booleans())


@settings(deadline=None, max_examples=examples(60))
@given(SOURCES, st.sampled_from(["x", "y", "log", "Thing"]), st.booleans())
def test_renaming_there_and_back_gives_the_same_text(source, name, attributes):
    there, answer = edited("code.rename", source, name=name, to="fresh", attributes=attributes)
    back, again = edited("code.rename", there, name="fresh", to=name, attributes=attributes)
    assert (back, again["edits"]) == (source, answer["edits"])
    assert there == source or len(there) == len(source) + answer["edits"] * (5 - len(name))


def is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "log"


class Removal(ast.NodeTransformer):
    """The same removal, done on Python's own tree."""

    def __init__(self) -> None:
        self.count = 0

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:  # noqa: N802 - ast's name
        self.count += is_log(node.value)
        return None if is_log(node.value) else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        filled = [name for name in ("body", "orelse", "finalbody") if getattr(node, name, None)]
        super().generic_visit(node)
        for name in filled:
            if not isinstance(node, ast.Module) and getattr(node, name) == []:
                setattr(node, name, [ast.Pass()])
        return node


@settings(deadline=None, max_examples=examples(60))
@given(SOURCES)
def test_removing_calls_removes_exactly_the_statements_that_are_calls(source):
    after, answer = edited("code.remove_calls", source, function="log")
    removal = Removal()
    assert ast.dump(removal.visit(ast.parse(source))) == ast.dump(ast.parse(after))
    kept = sum(map(is_log, ast.walk(ast.parse(after))))
    assert answer == {"edits": removal.count, "kept": kept}
    assert edited("code.remove_calls", after, function="log") == (after, {"edits": 0, "kept": kept})
    assert after.count("#") == source.count("#")


@settings(deadline=None, max_examples=examples(60))
@given(SOURCES)
def test_adding_docstrings_adds_nothing_else(source):
    after, answer = edited("code.add_docstrings", source)
    tree = ast.parse(after)
    added = 0
    for node in ast.walk(tree):
        is_definition = isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if is_definition and (ast.get_docstring(node) or "").endswith("."):
            del node.body[0]
            added += 1
    assert ast.dump(tree) == ast.dump(ast.parse(source))
    assert added == answer["edits"]
    assert edited("code.add_docstrings", after) == (after, {"edits": 0})

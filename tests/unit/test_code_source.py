"""Reading source: encodings, ends of lines, sizes, what is no file; guards, kept trees, syntax checks."""

import os
import sys
import threading
from pathlib import Path

import pytest
from engine.agents.code import CodeError, run
from engine.agents.code.python.guards import check_nesting
from engine.agents.code.python.parsing import TREES_MAX, TREES_MAX_BYTES, Trees, parse_tree
from engine.agents.code.python.positions import Lines, _Alignment
from engine.agents.code.stack import run_deep
from engine.editing.compiler import compile_problem
from engine.editing.source import SOURCE_MAX_BYTES
from libcst import ParserSyntaxError


def written(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    return str(path)


def refused(operation: str, /, **payload: object) -> CodeError:
    with pytest.raises(CodeError) as caught:
        run(operation, payload)
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        b"# -*- coding: latin-1 -*-\ndef caf\xe9(n): return n\n",
        b"\xef\xbb\xbfdef caf\xc3\xa9(n): return n\n",
        "# vim: set fileencoding=cp1251 :\ndef caf(n): return n  # Привет\n".encode("cp1251"),
        b"def f(n):\r\n\treturn n\r\n",
        b"def f(n):\r    return n\r",
        b"\x0c\ndef f(n):\n    return n\n\x0c\n",
        b"def f(n):\n    return n",
        b"def f(n):\n    return n\r\n# mixed\n",
        b"def f(n):\n    try: return n\n    except OSError : pass\n",
    ],
)
def test_edits_keep_the_encoding_the_line_ends_and_every_other_byte(tmp_path, data):
    path = written(tmp_path, data)
    payload = {"path": path, "workspace": str(tmp_path), "apply": True}
    assert len(run("code.outline", {"path": path})["definitions"]) == 1
    assert run("code.rename", payload | {"name": "n", "to": "longer"})["edits"] == 2
    assert Path(path).read_bytes() == data.replace(b"(n)", b"(longer)").replace(
        b"return n", b"return longer"
    )
    assert run("code.rename", payload | {"name": "longer", "to": "n"})["applied"]
    assert Path(path).read_bytes() == data


def test_a_coding_comment_in_text_that_is_decoded_already_means_nothing():
    source = "# coding: ascii\nname = 'é'\n"
    assert run("code.outline", {"source": source})["totals"]["lines"] == 2
    assert run("code.syntax_check", {"source": source}) == {"ok": True, "errors": []}
    assert run("code.syntax_check", {"source": "\ufeffx = 1\n"})["ok"]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"# coding: nonsense\n", None),
        (b"# coding: rot13\n", None),
        (b"x = 1\n\ny = 2\nz = '\xe9'\n", 4),
        (b"\xef\xbb\xbf# coding: latin-1\n", None),
    ],
)
def test_bytes_that_are_no_text_are_unreadable_and_an_error_of_syntax(tmp_path, data, line):
    path = written(tmp_path, data)
    error = refused("code.outline", path=path)
    assert (error.kind, error.line) == ("unreadable", line)
    check = run("code.syntax_check", {"path": path})
    assert not check["ok"]
    assert check["errors"][0]["by"] == "libcst"


def test_an_edit_needs_an_encoding_that_can_be_written_back(tmp_path):
    path = written(tmp_path, b"# coding: utf-7\nname = '+AGE-'\n")
    error = refused("code.rename", path=path, name="name", to="other")
    assert (error.kind, "convert it to UTF-8" in error.message) == ("unreadable", True)
    path = written(tmp_path, b"# coding: latin-1\nname = 1\n")
    error = refused("code.rename", path=path, name="name", to="имя")
    assert (error.kind, "lacks a character" in error.message) == ("bad_parameter", True)


def test_what_is_no_file_is_refused(tmp_path):
    assert refused("code.outline", path=str(tmp_path / "none.py")).kind == "not_found"
    assert refused("code.outline", path=str(tmp_path)).kind == "unreadable"
    assert refused("code.outline", path="a\0b").kind == "unreadable"
    assert refused("code.outline", source="'\ud800'").kind == "unreadable"
    os.mkfifo(tmp_path / "pipe.py")
    assert refused("code.outline", path=str(tmp_path / "pipe.py")).kind == "unreadable"


def test_sources_are_at_most_eight_megabytes(tmp_path):
    path = written(tmp_path, b"#" * (SOURCE_MAX_BYTES + 1))
    assert refused("code.outline", path=path).kind == "too_large"
    assert refused("code.outline", source="#" * (SOURCE_MAX_BYTES + 1)).kind == "too_large"
    assert run("code.outline", {"source": "#" * SOURCE_MAX_BYTES})["totals"]["lines"] == 1


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ('print "old"\n', 1, 0),
        ("x = 1\ny = (2\n", 2, 4),
        ("def f():\n\treturn 1\n        return 2\n", 3, None),
        ("a = 1\x00\n", None, None),
        ("exec 'x' in y\n", 1, 0),
        ("\x1a", 1, 0),
    ],
)
def test_what_is_not_python_is_a_syntax_error_with_its_place(source, line, column):
    error = refused("code.outline", source=source)
    assert error.kind == "syntax_error"
    assert "is not valid Python" in error.message
    if line is not None and column is not None:
        assert (error.line, error.column) == (line, column)


def test_where_the_parser_fails_by_itself_the_file_is_unreadable():
    error = refused("code.metrics", source="[x async\n for x in y]\n")
    assert error.kind == "unreadable"
    assert "`async for`" in error.message


def test_python_2_is_a_syntax_error():
    source = "try:\n    raise E, 'x'\nexcept E, e:\n    print `e`, 0777\n"
    assert refused("code.metrics", source=source).kind == "syntax_error"
    check = run("code.syntax_check", {"source": source})
    assert [row["by"] for row in check["errors"]] == ["libcst", "compile"]
    assert check["errors"][1]["line"] == 4


@pytest.mark.parametrize(
    ("source", "judges"),
    [
        ("x = 1\n", []),
        (r"x = '\d'" + "\n", []),  # a warning is no error, even where warnings are errors
        ("return 1\n", ["compile"]),
        ("def f(a, a): pass\n", ["compile"]),
        ("x = 1 +\n", ["libcst", "compile"]),
        ("if 1:\n  \\\n  x\n", ["libcst"]),
        ("x = 1\x00\n", ["libcst", "compile"]),
    ],
)
def test_syntax_check_says_who_rejects(source, judges):
    check = run("code.syntax_check", {"source": source})
    assert check["ok"] == (not judges)
    assert [row["by"] for row in check["errors"]] == judges
    assert all(row["message"] for row in check["errors"])


def test_what_is_too_complex_for_the_compiler_is_a_problem_and_no_crash():
    problem = compile_problem("-" * 100_000 + "1", "a.py")
    assert problem == ("compile", "too complex for the compiler of this Python", None, None)


def test_syntax_check_gives_the_compilers_own_message_and_place():
    (error,) = run("code.syntax_check", {"source": "x = 1\nif x:\n    break\n"})["errors"]
    assert error == {"by": "compile", "message": "'break' outside loop", "line": 3, "column": 4}
    first, _ = run("code.syntax_check", {"source": "x = 1\ny = (1 b)\n"})["errors"]
    assert (first["by"], first["line"]) == ("libcst", 2)
    assert first["message"].startswith("expected one of")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("(" * 20_000 + ")" * 20_000, "nested brackets"),
        ("[" * 201 + "]" * 201, "more than 200 nested brackets"),
        ("f(" * 150 + "{1: " * 100, "nested brackets"),
        ("x = 1" + "+1" * 9000, "operators"),
        ("a" + ".b" * 9000, "operators"),
        ("x = (1\n" + "+ 1  # one\n" * 9000 + ")", "operators"),
        ("not " * 9000 + "1", "operators"),
        ("1 if 1 else " * 5000 + "1", "operators"),
        ("f" + "()" * 9000, "operators"),
        ("x = (" + "'a'\n" * 3001 + ")", "adjacent strings"),
        ("f'{" + "1+" * 9000 + "1}'", "operators"),
        ("f'{" + "(" * 300 + ")" * 300 + "}'", "nested brackets"),
        ('f"{' * 500 + "1" + '}"' * 500, "nested brackets"),
        ("if 1: pass\n" + "elif 1: pass\n" * 20_001, "elif"),
        ("lambda a, b: " * 20_001 + "1", "lambda"),
        ("match x:\n case " + "{1: " * 11 + "y" + "}" * 11 + ": pass\n", "after `case`"),
        ("match x:\r case " + "[" * 11 + "y" + "]" * 11 + ": pass\r", "after `case`"),
        ("if x: del " + "(" * 11 + "a" + ",)" * 11, "after `case`"),
    ],
)
def test_what_would_crash_or_stall_the_parser_is_refused_before(source, what):
    error = refused("code.outline", source=source)
    assert (error.kind, what in error.message) == ("too_deep", True)
    assert refused("code.syntax_check", source=source).kind == "too_deep"


@pytest.mark.parametrize(
    "source",
    [
        "[" * 60 + "]" * 60,
        "x = [\n" + "f(1 + 2) - a.b, \n" * 2500 + "]\n",
        "x.y(1 + 2)\n" * 3000,
        "'(' + '[' + '{'  # ((((\n" * 500,
        'x = """\n' + "((((\n" * 500 + '"""\n',
        "f'(((({x}' + rb'\\(((\\'' \n" * 200,
        "x = (" + "'a'\n" * 3000 + ")",
        "case = x\ncase(" + "[" * 9 + "]" * 9 + ")\n",
        "if 1: pass\n" + "elif 1: pass\n" * 1000,
    ],
)
def test_ordinary_files_pass_the_guard(source):
    check_nesting(source)
    assert run("code.outline", {"source": source})["definitions"] == []


def test_the_longest_expressions_that_pass_the_guard_are_handled():
    path = Path(sys.modules["os"].__file__).parent / "pydoc_data" / "topics.py"
    limit, stack_bytes = sys.getrecursionlimit(), threading.stack_size()
    assert run("code.find_references", {"path": str(path), "name": "topics"})["totals"] == {
        "definition": 1,
        "import": 0,
        "call": 0,
        "attribute": 0,
        "use": 0,
    }
    chain = "a = f(b" + ".b" * 500 + ")\n"
    assert run("code.rename", {"source": chain, "name": "a", "to": "c"})["edits"] == 1
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, stack_bytes)


def test_work_that_recurses_without_end_is_too_deep():
    def forever() -> int:
        return forever() + 1

    with pytest.raises(CodeError) as caught:
        run_deep(forever)
    assert caught.value.kind == "too_deep"


def test_a_text_is_parsed_once():
    text = f"a = {id(object())}\n"
    assert parse_tree(text) is parse_tree(text)
    with pytest.raises(ParserSyntaxError):
        parse_tree("a = (\n")


def test_trees_are_few_and_small_and_the_least_used_goes_first():
    trees = Trees()
    for number in range(TREES_MAX):
        trees.keep(bytes([number]), f"tree {number}", 10)
    assert trees.find(b"\0") == "tree 0"
    trees.keep(b"new", "new", 10)
    assert (len(trees), trees.find(b"\0"), trees.find(b"\1")) == (TREES_MAX, "tree 0", None)
    trees.keep(b"large", "large", TREES_MAX_BYTES - 5)
    assert (len(trees), trees.find(b"large")) == (1, "large")  # 5 bytes are left
    trees.keep(b"too large", "too large", TREES_MAX_BYTES + 1)
    assert (len(trees), trees.find(b"too large")) == (1, None)


def test_lines_end_as_in_python():
    lines = Lines("a\r\nbc\rd\ne\ff")
    assert [lines.place(offset) for offset in (0, 3, 4, 6, 8, 10)] == [
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
        (4, 0),
        (4, 2),
    ]
    assert [Lines(text).count for text in ("", "a", "a\n", "a\n\n", "\r\n")] == [0, 1, 1, 2, 1]


def test_what_libcst_drops_is_found_again_and_anything_else_is_refused():
    aligned = _Alignment("except E:x", "except E  :x ")
    assert [aligned.offset(at) for at in (0, 7, 8, 9)] == [0, 7, 10, 11]
    with pytest.raises(CodeError) as caught:
        _Alignment("ab", "axb")
    assert caught.value.kind == "unreadable"

"""What the edits that are decided from a structure change: return types, try, imports, snippets."""

import re
from textwrap import dedent

import pytest
from engine.agents.code import CodeError, run
from tests.unit.test_code_edits import edited


def text(source: str) -> str:
    return dedent(source).lstrip("\n")


def twice(operation: str, source: str, **payload: object) -> tuple[str, dict[str, object]]:
    """Give the text after an edit and its notes; a second time nothing may change."""
    after, notes = edited(operation, source, **payload)
    again, rest = edited(operation, after, **payload)
    assert (again, rest["edits"]) == (after, 0)
    compile(after, "after", "exec")
    return after, notes


def refused(operation: str, source: str, **payload: object) -> CodeError:
    with pytest.raises(CodeError) as caught:
        run(operation, {"source": source, **payload})
    return caught.value


SHAPES = text(
    '''
    """Shapes."""

    import math


    class Shape:
        """A shape."""

        sides = 0

        # How large it is.
        def area(self):
            return 0  # nothing

        @property
        def name(self):
            return """a
    shape"""

        # the end of Shape


    def total(shapes):
        result = 0
        for shape in shapes:
            result += shape.area()
        return result


    if __name__ == "__main__":
        print(total([]))
    '''
)


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("def f(): pass\n", "def f() -> int: pass\n"),
        ("async def f(a: int, *, b=(1, 2)  # why\n) :\n  pass\n", "async def f(a: int, *, b=(1, 2)  # why\n) -> int :\n  pass\n"),
        ("class A:\r\n\tdef f(self, é='文'):\r\n\t\tpass\r\n", "class A:\r\n\tdef f(self, é='文') -> int:\r\n\t\tpass\r\n"),
        ("@d(')')\ndef f(a=\"):\"): return ')'\n", "@d(')')\ndef f(a=\"):\") -> int: return ')'\n"),
        ("def f() -> int: pass\n", "def f() -> int: pass\n"),
    ],
)
def test_a_return_type_stands_behind_the_parameters(source, after):
    assert twice("code.add_return_type", source, function="f", annotation="int")[0] == after


def test_another_return_type_is_kept_and_told():
    source = "def f() -> str: pass\n"
    assert twice("code.add_return_type", source, function="f", annotation=" int ") == (source, {"edits": 0, "kept": 1})


def test_several_functions_of_a_name_are_annotated_only_if_that_is_asked():
    source = "class A:\n    def f(self): pass\nclass B:\n    def f(self): pass\n"
    error = refused("code.add_return_type", source, function="f", annotation="int")
    assert (error.kind, error.line) == ("ambiguous", 2)
    assert "A.f in line 2, B.f in line 4" in error.message
    assert edited("code.add_return_type", source, function="f", annotation="int", every=True)[1]["edits"] == 2
    after, notes = twice("code.add_return_type", source, function="B.f", annotation="int")
    assert after == source.replace("(self): pass", "(self) -> int: pass").replace(" -> int", "", 1)
    assert notes["edits"] == 1


@pytest.mark.parametrize("annotation", ["int:", "a\nb", "a b", "int # x", " ", "x = 1", ") -> (int", "\u2028"])
def test_an_annotation_is_one_expression(annotation):
    error = refused("code.add_return_type", "def f(): pass\n", function="f", annotation=annotation)
    assert (error.kind, "on one line" in error.message) == ("bad_parameter", True)


@pytest.mark.parametrize("name", ["g", "A"])
def test_what_is_no_function_has_no_return_type(name):
    assert refused("code.add_return_type", "class A: pass\n", function=name, annotation="int").kind == "no_target"


def test_a_body_is_wrapped_behind_its_docstring():
    source = text(
        '''
        class A:
            def f(self):  # why
                """Doc."""

                # first
                a = """one
          two"""

                return (a,
            1)  # last
            # after
        '''
    )
    after, notes = twice("code.wrap_in_try", source, function="A.f", exception="os.error", handler="log(error)")
    assert notes["edits"] == 1
    assert after == text(
        '''
        class A:
            def f(self):  # why
                """Doc."""

                try:
                    # first
                    a = """one
          two"""

                    return (a,
                1)  # last
                except os.error as error:
                    log(error)
            # after
        '''
    )


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("def f(): return 1; x\n", "def f():\n    try:\n        return 1; x\n    except Exception:\n        raise\n"),
        ("if a:\n\tdef f():\n\t\tx\n", "if a:\n\tdef f():\n\t\ttry:\n\t\t\tx\n\t\texcept Exception:\n\t\t\traise\n"),
        ("def f():\r\n  # c\r\n  x", "def f():\r\n  try:\r\n    # c\r\n    x\r\n  except Exception:\r\n    raise"),
        ("def f():\n    try:\n        x\n    finally:\n        y\n", "def f():\n    try:\n        x\n    finally:\n        y\n"),
        ('def f():\n    f"""{a}\n"""; x\n', 'def f():\n    try:\n        f"""{a}\n"""; x\n    except Exception:\n        raise\n'),
    ],
)
def test_bodies_of_all_forms_are_wrapped(source, after):
    assert twice("code.wrap_in_try", source, function="f")[0] == after


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ('def f():\n    """Doc."""\n', "no_target"),
        ('def f():\n    """Doc."""; x\n', "unsupported"),
        ('def f(): "doc"; x\n', "unsupported"),
        ("class f: pass\n", "no_target"),
        ("def g(): pass\n", "no_target"),
        ("def f(): pass\ndef f(): pass\n", "ambiguous"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(source, kind):
    assert refused("code.wrap_in_try", source, function="f").kind == kind


@pytest.mark.parametrize("handler", ["if x: y", "a\nb", "a; b", "x ="])
def test_a_handler_is_one_statement(handler):
    assert refused("code.wrap_in_try", "def f(): pass\n", function="f", handler=handler).kind == "bad_parameter"


def test_imports_are_sorted_into_sections():
    source = text(
        """
        # A licence
        # of two lines.
        import sys, os  # both
        from .near import b, A, C_9, a10, a2
        # why numpy
        import numpy as np

        from __future__ import annotations
        from ..far import x
        from . import y
        from Json import (
            z,  # z first
            a,
        )
        import os.path
        from json import loads


        x = 1
        import b
        import a
        """
    )
    after, notes = twice("code.sort_imports", source)
    assert notes["edits"] == 2
    assert after == text(
        """
        # A licence
        # of two lines.
        from __future__ import annotations

        import os.path
        import sys, os  # both
        from json import loads

        # why numpy
        import numpy as np
        from Json import (
            z,  # z first
            a,
        )

        from ..far import x
        from . import y
        from .near import C_9, A, a2, a10, b


        x = 1
        import a
        import b
        """
    )


def test_what_is_named_like_a_folder_of_the_file_is_local(tmp_path):
    folder = tmp_path / "engine" / "model"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("import engine.clock\nimport attr\n")
    run("code.sort_imports", {"path": "engine/model/a.py", "workspace": str(tmp_path), "apply": True})
    assert (folder / "a.py").read_text() == "import attr\n\nimport engine.clock\n"


@pytest.mark.parametrize(
    "source",
    [
        "import b\nfrom a import *\nimport a\n",  # a star hides names: it stays, and parts the blocks
        "import b\n# on its own\n\nimport a\n",
        "import b\nif x:\n    import a\n",
        "import os\r\n\r\nimport attr\r\n",
        "#!/usr/bin/python\nimport a\nimport b\n",
    ],
)
def test_what_is_in_order_or_parted_stays(source):
    assert twice("code.sort_imports", source)[0] == source


def test_imports_from_one_module_are_ordered_by_their_names_whatever_their_order_was():
    source = "from a import c, C, _b\nfrom a import b\nfrom a import (\n    z,\n    a,\n)\n"
    assert twice("code.sort_imports", source)[0] == "from a import C, _b, c\nfrom a import (\n    z,\n    a,\n)\nfrom a import b\n"


def test_other_lines_and_ends_stay():
    assert twice("code.sort_imports", "#!/bin/sh\n# b\nimport b\nimport a")[0] == "#!/bin/sh\nimport a\n# b\nimport b"
    assert twice("code.sort_imports", "'doc'\r\nimport b\r\nimport a  # é\r\n\r\nx\r\n")[0] == "'doc'\r\nimport a  # é\r\nimport b\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import b\nimport a; x = 1\n", 2),
        ("import b; import a\n", 1),
        ("from b import x\nfrom a import x\n", 2),
        ("import b\nimport a  # isort:skip\n", 2),
    ],
)
def test_imports_that_cannot_be_moved_safely_are_refused(source, line):
    error = refused("code.sort_imports", source)
    assert (error.kind, error.line) == ("unsupported", line)


def test_a_definition_goes_over_the_one_of_its_name():
    edit = "def total(shapes):\n    return sum(shape.area() for shape in shapes)\n"
    after, notes = twice("code.apply_edit", SHAPES, edit=edit)
    assert after == re.sub(r"def total.*?return result\n", lambda _: edit, SHAPES, flags=re.DOTALL)
    assert (notes["replaced"], notes["added"]) == (["total"], [])


def test_a_new_function_stands_before_what_runs_the_module_and_imports_at_the_top():
    edit = "from __future__ import annotations\nimport math\nimport os  # noqa\nfrom math import pi as π, e\n\ndef new():\n    return os\n"
    after, notes = twice("code.apply_edit", SHAPES, edit=edit)
    assert after == SHAPES.replace(
        '"""Shapes."""\n\nimport math\n',
        '"""Shapes."""\n\nfrom __future__ import annotations\n\nimport math\nimport os  # noqa\nfrom math import pi as π, e\n',
    ).replace("if __name__", "def new():\n    return os\n\n\nif __name__")
    assert (notes["replaced"], notes["added"], notes["edits"]) == ([], ["new"], 4)


def test_a_method_finds_its_class_and_keeps_its_decorators():
    after, notes = twice("code.apply_edit", SHAPES, edit='    def name(self):\n        return """b\n  c"""')
    assert notes["replaced"] == ["Shape.name"]
    assert after == SHAPES.replace('return """a\nshape"""\n\n    # the end of Shape', 'return """b\n  c"""\n\n    # the end of Shape')


def test_members_go_into_the_class_that_is_named():
    edit = "# new\n@property\ndef round(self):\n    return 1  # one\n\ndef area(self):\n    return 1\n"
    after, notes = twice("code.apply_edit", SHAPES, edit=edit, target="Shape")
    assert (notes["replaced"], notes["added"]) == (["Shape.area"], ["Shape.round"])
    assert after == SHAPES.replace("return 0  # nothing", "return 1  # nothing").replace(
        "# the end of Shape\n", "# the end of Shape\n\n    # new\n    @property\n    def round(self):\n        return 1  # one\n"
    )


@pytest.mark.parametrize(
    ("place", "after"),
    [
        ("before", "\ndef new():\n    pass\n\n\ndef total"),
        ("after", "return result\n\n\ndef new():\n    pass\n\n\nif __name__"),
        ("replace", "\n\n\ndef new():\n    pass\n\n\nif __name__"),
    ],
)
def test_a_place_is_obeyed(place, after):
    edit = "def new():\n    pass"
    changed, notes = edited("code.apply_edit", SHAPES, edit=edit, place=place, target="total")
    assert after in changed
    assert ("def total" in changed) == (place != "replace")
    assert (notes["edits"], notes["replaced"]) == (1, ["total"] if place == "replace" else [])
    if place != "replace":
        assert edited("code.apply_edit", changed, edit=edit, place=place, target="total")[1]["edits"] == 0


def test_additions_stand_behind_what_is_there():
    edit = "import sys\ndef f():\n    return sys\ndef g(): return f\n"
    new = "def f():\n    return sys\n\n\ndef g(): return f\n"
    for source, after in (
        ("", f"import sys\n\n\n{new}"),
        ("\n", f"import sys\n\n\n{new}\n"),
        ("# only\n", f"# only\nimport sys\n\n\n{new}"),
        ("# only", f"# only\nimport sys\n\n\n{new}"),
        ('"""Doc."""', f'"""Doc."""\n\nimport sys\n\n\n{new}'),
        ("import os", f"import os\nimport sys\n\n\n{new}"),
        ("import os  # os\nx = 1", f"import os  # os\nimport sys\nx = 1\n\n\n{new}"),
        ("x = 1\n# end", f"import sys\n\nx = 1\n# end\n\n\n{new}"),
    ):
        assert twice("code.apply_edit", source, edit=edit)[0] == after


@pytest.mark.parametrize("source", ["", "\n", "# only\n", '"""Doc."""', "x = 1", "import os\n", "#!/bin/sh\n# -*- coding: utf-8 -*-\n\nx = 1\n", "import os\r\n\r\nx = 1\r\n"])
def test_files_of_all_kinds_take_an_addition(source):
    after, notes = twice("code.apply_edit", source, edit="import sys\ndef f():\n    return sys\ndef g(): return f\n")
    assert notes["added"] == ["f", "g"]
    assert all(line in after.splitlines() for line in source.splitlines())
    assert ("\r\n" in source) == ("\r\n" in after)
    assert after.count("\n") == after.count("\r\n") or "\r" not in after
    names: dict[str, object] = {}
    exec(after, names)
    assert callable(names["f"])


@pytest.mark.parametrize(
    ("edit", "more", "kind"),
    [
        ("def area(self): ...", {}, "lost_code"),
        ("def total(shapes):\n    # ... existing code ...\n    return 1\n", {}, "lost_code"),
        ("class Shape:\n    def area(self):\n        return 1\n", {}, "lost_code"),
        ("class Shape:\n    def area(self): return 1\n    @property\n    def name(self): return 2\n", {}, "lost_code"),  # and `sides`?
        ("class total: pass", {}, "ambiguous"),
        ("def missing(self): pass", {}, "ambiguous"),
        ("def other(): pass", {"target": "total"}, "ambiguous"),
        ("def a(): pass\ndef a(): pass\n", {}, "ambiguous"),
        ("from cmath import sqrt as math", {}, "ambiguous"),
        ("def a(: pass", {}, "bad_parameter"),
        ("x = 1", {}, "bad_parameter"),
        ("# nothing", {}, "bad_parameter"),
        ("def a(): pass\n\n# about nothing\n", {}, "bad_parameter"),
        ("import os", {"place": "after", "target": "total"}, "bad_parameter"),
        ("def a(): pass", {"place": "after"}, "bad_parameter"),
        ("def a(): pass", {"place": "after", "target": "nowhere"}, "no_target"),
        ("def total(): pass", {"place": "after", "target": "Shape"}, "ambiguous"),
    ],
)
def test_what_is_not_clear_or_loses_code_is_refused(edit, more, kind):
    assert refused("code.apply_edit", SHAPES, edit=edit, **more).kind == kind


def test_several_of_one_name_are_told():
    source = "class A:\n    def f(self): pass\nclass B:\n    def f(self): pass\n"
    assert "A.f in line 2, B.f in line 4" in refused("code.apply_edit", source, edit="def f(self): return 1").message
    assert twice("code.apply_edit", source, edit="def f(self): return 1", target="B.f")[1]["replaced"] == ["B.f"]
    overloads = "if a:\n    def f(): pass\nelse:\n    def f(): pass\n"
    assert refused("code.apply_edit", overloads, edit="def f(): return 1").kind == "ambiguous"


@pytest.mark.parametrize(
    ("operation", "source", "payload"),
    [
        ("code.wrap_in_try", "def f(): pass\n", {"function": "f", "handler": "await g(error)"}),
        ("code.wrap_in_try", "def f(): pass\n", {"function": "f", "handler": "break"}),
        ("code.apply_edit", "x = 1\n", {"edit": "def f(a, a): pass"}),
        ("code.apply_edit", "def g():\n    x = 1\n    def f(): pass\n", {"edit": "def f():\n    nonlocal y", "target": "g.f"}),
        ("code.apply_edit", "x = 1\n", {"edit": "from __future__ import nothing"}),
        ("code.apply_edit", "def f(a: (b := 1)): pass\n", {"edit": "from __future__ import annotations"}),
    ],
)
def test_what_parses_but_does_not_compile_is_refused(operation, source, payload):
    assert refused(operation, source, **payload).kind == "broken_edit"


def test_what_compiles_only_where_it_is_put_is_taken():
    source = "def g():\n    x = 1\n    def f(): pass\n"
    assert twice("code.apply_edit", source, edit="def f():\n    nonlocal x\n    x = 2", target="g.f")[1]["replaced"] == ["g.f"]
    assert twice("code.wrap_in_try", "async def f(): pass\n", function="f", handler="await g(error)")[1]["edits"] == 1


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "cp1252"])
def test_files_in_other_encodings_stay_in_them(tmp_path, encoding):
    path = tmp_path / "a.py"
    comment = "" if encoding == "utf-8-sig" else f"# coding: {encoding}\n"
    path.write_bytes(f"{comment}import b\nimport a\nclass é:\n    x = 'é'\n    def f(self): pass\n".encode(encoding))
    more = {"path": "a.py", "workspace": str(tmp_path), "apply": True}
    assert run("code.apply_edit", {**more, "edit": "import é\ndef f(self):\n    return 'ü'"})["edits"] == 2
    assert run("code.sort_imports", more)["edits"] == 1
    assert run("code.add_return_type", {**more, "function": "é.f", "annotation": "é"})["edits"] == 1
    assert path.read_bytes() == f"{comment}import a\nimport b\nimport é\nclass é:\n    x = 'é'\n    def f(self) -> é:\n        return 'ü'\n".encode(encoding)
    if comment:
        with pytest.raises(CodeError, match="lacks a character"):
            run("code.apply_edit", {**more, "edit": "def 文(): pass"})

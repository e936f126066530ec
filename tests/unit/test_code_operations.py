"""The table of code operations, the check of payloads, errors as values, and the cost of importing."""

import json
import pickle
import subprocess
import sys

import pytest
from engine.agents.code import OPERATIONS, CodeError, run
from engine.model.code_errors import KINDS
from engine.model.code_requests import LANGUAGES, CodeRequest

NEEDED: dict[str, dict[str, object]] = {
    "code.outline": {},
    "code.metrics": {},
    "code.find_references": {"name": "a"},
    "code.rename": {"name": "a", "to": "b"},
    "code.remove_calls": {"function": "print"},
    "code.use_const": {},
    "code.add_docstrings": {},
    "code.add_return_type": {"function": "a", "annotation": "None"},
    "code.wrap_in_try": {"function": "a"},
    "code.sort_imports": {},
    "code.apply_edit": {"edit": "def b(): pass"},
    "code.syntax_check": {},
    "code.search": {"query": "(identifier) @a"},
    "code.replace": {"query": "(identifier) @target", "template": "b"},
    "code.ast_dump": {},
}
REGULAR = [name for name, row in OPERATIONS.items() if row.by != "booster" and "python" in row.languages]
READS = {"code.outline", "code.metrics", "code.find_references", "code.syntax_check", "code.search", "code.ast_dump"}


def test_the_catalogue_lists_every_operation_with_what_it_needs():
    assert list(OPERATIONS) == list(NEEDED)
    common = set(CodeRequest.model_fields)
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.help.endswith(".")
        fields = {key: row for key, row in operation.request.model_fields.items() if key not in common}
        assert {key for key, row in fields.items() if row.is_required()} == set(NEEDED[name])
        assert all(row.description for row in fields.values())
        assert set(operation.languages) <= set(LANGUAGES)
    edits = {name for name, operation in OPERATIONS.items() if operation.edits}
    assert edits == set(NEEDED) - READS


def test_importing_the_package_does_not_import_libcst():
    code = "import sys, engine.agents.code; assert 'libcst' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.by == "booster"])
def test_what_only_the_booster_can_is_refused_by_the_regular_agent(name):
    for language in LANGUAGES:
        with pytest.raises(CodeError, match="only the booster can") as caught:
            run(name, {"source": "a", "language": language, **NEEDED[name]})
        assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("name", REGULAR)
def test_every_answer_is_json(name):
    answer = run(name, {"source": "def a(): print(a)\n", **NEEDED[name]})
    assert json.loads(json.dumps(answer)) == answer
    assert OPERATIONS[name].result.model_validate(answer).model_dump(mode="json") == answer


@pytest.mark.parametrize("name", sorted(set(REGULAR) - {"code.add_return_type", "code.wrap_in_try", "code.apply_edit"}))
@pytest.mark.parametrize("source", ["", "\n", "# only a comment", "\ufeff", "\f\n", '"""Doc."""'])
def test_every_operation_takes_files_with_nothing_to_do(name, source):
    answer = run(name, {"source": source, **NEEDED[name]})
    assert not answer.get("changed")
    assert not answer.get("diff")


@pytest.mark.parametrize(
    ("name", "payload", "hint"),
    [
        ("code.nothing", {"source": ""}, "choose one of code.outline"),
        ("code.outline", {}, "either `path` or `source`"),
        ("code.outline", {"path": "a.py", "source": ""}, "either `path` or `source`"),
        ("code.outline", {"path": 3}, "`path` must be a string, not 3"),
        ("code.outline", {"source": "", "name": "a"}, "has no parameter 'name'; it takes apply, language, path"),
        ("code.outline", {"path": "a.rb"}, "The ending of a.rb tells no language; give `language`: python"),
        ("code.outline", {"source": "", "language": "ruby"}, "must be one of 'python', 'javascript'"),
        ("code.outline", {"source": "", "apply": "yes"}, "`apply` must be true or false"),
        ("code.outline", {"source": "", "workspace": b"/"}, "`workspace` must be a string"),
        ("code.find_references", {"source": ""}, "`name` must be given: the identifier to look for."),
        ("code.find_references", {"source": "", "name": ""}, "`name` must be a string of at least 1 character"),
        ("code.find_references", {"source": "", "name": "a.b"}, "Python identifier"),
        ("code.find_references", {"source": "", "name": "None"}, "no keyword"),
        ("code.rename", {"source": "", "name": "a", "to": "class"}, "no keyword"),
        ("code.rename", {"source": "", "name": "a", "to": "1a"}, "Python identifier"),
        ("code.rename", {"source": "", "name": "a", "to": "b" * 1001}, "at most 1000 characters"),
        ("code.rename", {"source": "", "name": "a", "to": "b", "attributes": 1}, "true or false"),
        ("code.remove_calls", {"source": "", "function": "a..b"}, "dotted name"),
        ("code.remove_calls", {"source": "", "function": "a()"}, "dotted name"),
        ("code.add_docstrings", {"source": "", "template": "{words"}, "stray brace"),
        ("code.add_docstrings", {"source": "", "template": "{}"}, "may only hold"),
        ("code.add_docstrings", {"source": "", "template": "{name.upper}"}, "may only hold"),
        ("code.add_docstrings", {"source": "", "template": "{name!r}"}, "may only hold"),
        ("code.add_docstrings", {"source": "", "template": "{name:>9}"}, "may only hold"),
        ("code.add_docstrings", {"source": "", "template": 'Say "{name}".'}, "without quotes"),
        ("code.add_docstrings", {"source": "", "template": "a\\n"}, "without quotes"),
        ("code.add_docstrings", {"source": "", "template": "a\nb"}, "one line"),
    ],
)
def test_a_wrong_payload_is_refused_with_what_to_do(name, payload, hint):
    with pytest.raises(CodeError) as caught:
        run(name, payload)
    assert caught.value.kind == "bad_parameter"
    assert hint in caught.value.message


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_to_another_process(kind):
    error = CodeError(kind, "Do this.", 3, 4)
    back = pickle.loads(pickle.dumps(error))
    assert (back.kind, back.message, back.line, back.column) == (kind, "Do this.", 3, 4)
    assert str(back) == "Do this. (line 3)"
    assert str(CodeError(kind, "Do this.")) == "Do this."

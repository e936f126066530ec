"""What the code operations are asked: one frozen model for each, with bounds, checked at the edge.

Owner: nobody; a request is a value. A name is checked by the rules of the language that the file is in.
"""

import keyword
from collections.abc import Mapping
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Language: TypeAlias = Literal["python", "javascript", "typescript", "tsx"]

LANGUAGES: Final[tuple[Language, ...]] = ("python", "javascript", "typescript", "tsx")
ECMASCRIPT: Final[tuple[Language, ...]] = ("javascript", "typescript", "tsx")
TYPED: Final[tuple[Language, ...]] = ("python", "typescript", "tsx")
LANGUAGE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"python": "Python", "javascript": "JavaScript", "typescript": "TypeScript", "tsx": "TSX"}
)
"""As people write them."""
SUFFIXES: Final[Mapping[str, Language]] = MappingProxyType(
    {
        **dict.fromkeys((".py", ".pyi", ".pyw"), "python"),
        **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "javascript"),
        **dict.fromkeys((".ts", ".mts", ".cts"), "typescript"),
        ".tsx": "tsx",
    }
)
TEXT_MAX_CHARACTERS: Final = 1000
SNIPPET_MAX_CHARACTERS: Final = 200_000
QUERY_MAX_CHARACTERS: Final = 20_000
MATCHES_MAX: Final = 100_000
NODES_MAX: Final = 1_000_000

# The words that no variable can be called in strict code, and four that mean something of their own.
_RESERVED: Final = frozenset(
    ["break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do", "else", "enum", "export", "extends", "false", "finally", "for", "function", "if", "import", "in", "instanceof", "new", "null", "return", "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void", "while", "with", "let", "static", "yield", "await", "implements", "interface", "package", "private", "protected", "public", "undefined", "arguments", "eval", "constructor"]
)


def language_of(path: str) -> Language | None:
    """Tell the language by the ending of a file's name; a name without one is taken for a Python script."""
    return SUFFIXES.get(PurePath(path).suffix.lower() or ".py")


def is_name(word: str, language: Language) -> bool:
    """Tell whether a variable may be called so."""
    if language == "python":
        return word.isidentifier() and not keyword.iskeyword(word)
    return is_word(word) and word not in _RESERVED


def is_word(word: str) -> bool:
    """Tell whether JavaScript takes it for a word, be it a reserved one; a private name begins with #."""
    return word.removeprefix("#").replace("$", "_").isidentifier()


class _Spelled:
    """Marks a field whose text must be a name in the language of the file."""

    def __init__(self, what: str) -> None:
        self.what = what


_Identifier = Annotated[
    str, Field(min_length=1, max_length=TEXT_MAX_CHARACTERS), _Spelled("identifier")
]
_Dotted = Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARACTERS), _Spelled("dotted name")]
_Line = Annotated[str, Field(max_length=TEXT_MAX_CHARACTERS)]


class CodeRequest(BaseModel):
    """What every operation takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    operation: ClassVar[str]
    languages: ClassVar[tuple[Language, ...]] = LANGUAGES

    path: str | None = Field(None, description="the file, relative to `workspace`, else to the current directory")
    source: str | None = Field(None, description="its text, in place of a path")
    language: Language = Field("python", description="what it is written in; told by the ending of `path`")
    workspace: str | None = Field(None, description="the directory below which an edit may write")
    apply: bool = Field(default=False, description="write the edit to the file, not only show it")

    @property
    def location(self) -> str:
        """Give the path to open: a relative one is meant inside the workspace, if there is one."""
        return str(Path(self.workspace) / (self.path or "")) if self.workspace else self.path or ""

    @model_validator(mode="before")
    @classmethod
    def _tell_language(cls, data: Any) -> Any:  # noqa: ANN401 - whatever was sent
        if not isinstance(data, Mapping) or "language" in data or not isinstance(data.get("path"), str):
            return data
        language = language_of(data["path"])
        if language is None:
            raise ValueError(
                f"The ending of {data['path']} tells no language; give `language`: {', '.join(LANGUAGES)}."
            )
        return {**data, "language": language}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.path is None) == (self.source is None):
            raise ValueError(f"Give {self.operation} either `path` or `source`.")
        if self.language not in self.languages:
            raise ValueError(
                f"{self.operation} is for {', '.join(self.languages)}, not for {self.language}."
            )
        for name, field in type(self).model_fields.items():
            for mark in field.metadata:
                if isinstance(mark, _Spelled):
                    _check_spelling(name, mark.what, getattr(self, name), self.language)
        return self


def _check_spelling(field: str, what: str, value: str, language: Language) -> None:
    first, *rest = [value] if what == "identifier" else value.split(".")
    if language == "python":
        is_right = all(is_name(word, language) for word in (first, *rest))
    elif what == "identifier":
        is_right = is_name(first, language)
    else:  # after a dot any word may stand, and before it also `this`
        is_right = is_word(first) and all(map(is_word, rest))
    if not is_right:
        raise ValueError(
            f"`{field}` must be a {LANGUAGE_NAMES[language]} {what} and no keyword, not {value!r:.80}."
        )


class SyntaxRequest(CodeRequest):
    """Does the file parse?"""

    operation = "code.syntax_check"


class DumpRequest(CodeRequest):
    """The syntax tree."""

    operation = "code.ast_dump"

    named: bool = Field(default=True, description="leave out punctuation and keywords")
    max_nodes: int = Field(10_000, ge=1, le=NODES_MAX, description="give at most so many nodes")


class OutlineRequest(CodeRequest):
    """The definitions of a file."""

    operation = "code.outline"


class MetricsRequest(CodeRequest):
    """The figures of its functions."""

    operation = "code.metrics"


class ReferencesRequest(CodeRequest):
    """The places of an identifier."""

    operation = "code.find_references"

    name: _Identifier = Field(description="the identifier to look for")


class RenameRequest(CodeRequest):
    """Another name for an identifier."""

    operation = "code.rename"

    name: _Identifier = Field(description="the identifier to rename")
    to: _Identifier = Field(description="its new name")
    attributes: bool = Field(
        default=False,
        description="also rename it after a dot, as the name of a keyword argument and as a key",
    )


class RemovalRequest(CodeRequest):
    """A function whose calls go."""

    operation = "code.remove_calls"

    function: _Dotted = Field(description="the function as it is called")


class ConstRequest(CodeRequest):
    """`var` and `let` that could be `const` or `let`."""

    operation = "code.use_const"
    languages = ECMASCRIPT


class SearchRequest(CodeRequest):
    """A pattern of the syntax tree."""

    operation = "code.search"

    query: str = Field(
        min_length=1, max_length=QUERY_MAX_CHARACTERS, description="a tree-sitter query with captures"
    )
    max_matches: int = Field(1000, ge=1, le=MATCHES_MAX, description="stop after so many")


class ReplaceRequest(CodeRequest):
    """A pattern, and what takes its place."""

    operation = "code.replace"

    query: str = Field(
        min_length=1,
        max_length=QUERY_MAX_CHARACTERS,
        description="a tree-sitter query; what it captures as @target is replaced",
    )
    template: str = Field(
        max_length=SNIPPET_MAX_CHARACTERS,
        description="the new text; $name stands for what the query captures as @name, $$ for a dollar",
    )


class DocstringsRequest(CodeRequest):
    """A template for docstrings and documentation."""

    operation = "code.add_docstrings"

    template: str = Field(
        "{words}.",
        min_length=1,
        max_length=TEXT_MAX_CHARACTERS,
        description="the sentence; {words}, {name} and {kind} are filled in",
    )


class ReturnTypeRequest(CodeRequest):
    """A return annotation for a function."""

    operation = "code.add_return_type"
    languages = TYPED

    function: _Dotted = Field(description="the function's name, with its class if need be: Point.move")
    annotation: _Line = Field(min_length=1, description="the type as it is written there")
    every: bool = Field(default=False, description="all functions of that name, where there are several")


class TryRequest(CodeRequest):
    """A function whose body is to be wrapped."""

    operation = "code.wrap_in_try"

    function: _Dotted = Field(description="the function's name, with its class if need be: Point.move")
    handler: _Line = Field(
        "", description="one statement for the handler, where `error` is the exception; else it is raised again"
    )
    exception: _Line = Field("", description="what the handler catches; Exception if nothing is said")

    @model_validator(mode="after")
    def _check_exception(self) -> Self:
        if self.exception:
            _check_spelling("exception", "dotted name", self.exception, self.language)
        return self


class SortRequest(CodeRequest):
    """Imports in order."""

    operation = "code.sort_imports"


class ApplyRequest(CodeRequest):
    """A snippet, and where it goes."""

    operation = "code.apply_edit"

    edit: str = Field(
        min_length=1, max_length=SNIPPET_MAX_CHARACTERS, description="whole definitions, or imports"
    )
    place: Literal["auto", "replace", "before", "after"] = Field(
        "auto",
        description="auto: over the definition of the same name, or added; else with regard to `target`",
    )
    target: str = Field(
        "", max_length=TEXT_MAX_CHARACTERS, description="a definition's name, with its class if need be"
    )

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.target:
            _check_spelling("target", "dotted name", self.target, self.language)
        elif self.place != "auto":
            raise ValueError(f"To put the edit {self.place} something, name it as `target`.")
        return self

"""One subcommand a verb, generated from the table of verbs: arguments, options, limits and help of its fields.

Owner: nobody; functions only. Imports neither the wire nor asyncio until a verb is really run.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from engine.model.commands import COMMANDS, VERBS
from engine.model.consensus_commands import ProposalVerb
from engine.model.verbs import Command, Danger

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Field = dataclasses.Field[Any]

COMMON = ("dry_run", "reason", "confirm", "yes", "output")
"""Options that every verb has; no field of a verb may be called so."""

_NEGATIVE = re.compile(r"-\d[\d.%]*")


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object: as text, @FILE, or @- for standard input."""

    name = "json"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object. Raises click.BadParameter."""
        import json

        if isinstance(value, dict):
            return value
        text = str(value)
        if text.startswith("@"):
            text = self._read(text[1:], param, ctx)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.fail(f"not valid JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail('not a JSON object; write {"key": value} or @FILE', param, ctx)
        return found

    def _read(self, name: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return text_of(name)
        except (OSError, ValueError) as error:
            self.fail(f"{name or 'no file'} cannot be read: {error}", param, ctx)


class ValueText(click.ParamType[str]):
    """A value as text, @FILE for what a file holds, or @- for standard input; two @ begin a text that begins with one."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text. Raises click.BadParameter for a file that cannot be read, is too large, empty or not text."""
        text = str(value)
        if text.startswith("@@"):
            return text[1:]
        if not text.startswith("@"):
            return text
        try:
            held = text_of(text[1:])
            if not held:
                raise ValueError("it is empty")
        except (OSError, ValueError) as error:
            self.fail(f"{text[1:] or 'no file'} cannot be read: {error}. A text that begins with @ is written with two: @{text[:40]}", param, ctx)
        return held


def text_of(name: str) -> str:
    """Return what a file holds, `-` = standard input; reads no more than an engine takes. Raises OSError, ValueError."""
    from engine.api.limits import Limits

    most = Limits().message_bytes_max
    with click.open_file(name, "rb") as file:
        data = bytes(file.read(most + 1))
    if len(data) > most:
        raise ValueError(f"it is larger than {most:,} bytes, the most that an engine takes at once")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not text in UTF-8 (byte {error.start:,}); write bytes as base64, or store them from a program") from error


class Finite(click.FloatRange):
    """A number within limits; what Python also reads as one (nan, inf) is none."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. Raises click.BadParameter."""
        number = super().convert(cast("float", value), param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class OneOf(click.Choice[str]):
    """One of some words, or the default; another word is answered with what to do instead."""

    def __init__(self, spec: Field) -> None:
        super().__init__([str(choice) for choice in spec.metadata["choices"]])
        self._default = "" if spec.default is dataclasses.MISSING else str(spec.default)
        self._otherwise = str(spec.metadata.get("otherwise", ""))

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word. Raises click.BadParameter."""
        if value == self._default:
            return self._default
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}{f' For something else: {self._otherwise}.' if self._otherwise else ''}", param, ctx)


class AbsolutePath(click.ParamType[str]):
    """A file, seen from here: the engine may look from another directory."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002  # click's own
        """Return the path from the root on; none stays none."""
        return os.path.abspath(str(value)) if value else ""  # noqa: PTH100  # Path is an import that no other verb needs

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Have the shell complete files."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class Verb(click.Command):
    """A subcommand made from a verb; a word such as `-2` is an argument, not an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; unknown options stay errors unless a negative number is among them."""
        ctx.ignore_unknown_options = any(_NEGATIVE.fullmatch(word) for word in args)
        return super().parse_args(ctx, args)


def verb_names() -> list[str]:
    """Return the words of all verbs, in the table's order."""
    return list(VERBS)


def verb_help(verb: str) -> str:
    """Return a verb's line of help."""
    return VERBS[verb].help


def make_verb(verb: str) -> click.Command | None:
    """Return the subcommand of a verb, or None if there is no such verb."""
    kind = VERBS.get(verb)
    if kind is None:
        return None
    params = [make_param(spec, kind) for spec in dataclasses.fields(kind)] + common_options(kind)

    def run(**values: Any) -> None:  # noqa: ANN401  # typed by the fields
        from fleet_tui.acts import Request, act
        from fleet_tui.contexts import choose_context, mode_in

        root = click.get_current_context().find_root().params
        context = choose_context(root)
        common = {name: values.pop(name) for name in COMMON}
        wait = values.pop("wait", False)
        code = act(context.paths, Request(commands_from(kind, values), wait=wait, mode=mode_in(context, root["mode"]), **common))
        click.get_current_context().exit(code)

    return Verb(verb, params=params, callback=run, help=describe(kind), short_help=kind.help)


def describe(kind: type[Command]) -> str:
    """Return the long help of a verb."""
    notes = [kind.help + "."]
    if many_field(kind) is not None:
        notes.append("Several names make one plan: all or none.")
    if kind.danger is Danger.DESTRUCTIVE:
        notes.append("It destroys work: a terminal is asked first, a script needs --yes.")
    if kind.is_typed:
        notes.append("What it is about must be typed: at the question, or with --confirm.")
    if kind.inverse:
        notes.append(f"Taken back by `{COMMANDS[kind.inverse].verb}`, or by `undo`." if kind.inverse != kind.name else "Taken back by `undo`.")
    if kind.undo_note:
        notes.append(f"After an undo: {kind.undo_note}.")
    if kind.irreversible:
        notes.append(f"It cannot be undone: {kind.irreversible}.")
    return "\n\n".join(notes)


def many_field(kind: type[Command]) -> Field | None:
    """Return the field that takes several targets: the only positional one, if it is required."""
    positional = [spec for spec in dataclasses.fields(kind) if not spec.metadata.get("option")]
    return positional[0] if len(positional) == 1 and is_required(positional[0]) else None


def is_required(spec: Field) -> bool:
    """Tell whether a field has no default."""
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def commands_from(kind: type[Command], values: Mapping[str, Any]) -> list[Command]:
    """Return the verb once for each of its targets."""
    many = many_field(kind)
    if many is None:
        return [kind(**values)]
    rest = {name: value for name, value in values.items() if name != many.name}
    # The same target twice is a slip of the hand, not a wish.
    return [kind(**{many.name: target, **rest}) for target in dict.fromkeys(values[many.name])]


def make_param(spec: Field, kind: type[Command]) -> click.Parameter:
    """Return the argument or option of a field."""
    complete = completer(str(spec.metadata.get("completes", "")))
    if not spec.metadata.get("option"):
        return make_argument(spec, complete, several=many_field(kind) is spec)
    flag = "--" + spec.name.replace("_", "-")
    shared: dict[str, Any] = {"help": help_of(spec), **default_of(spec)}
    if spec.type == "bool":
        words = f"{flag}/--no-{flag[2:]}" if spec.default is True else flag
        return click.Option([words], is_flag=True, **shared)
    if str(spec.type).startswith("tuple"):
        return click.Option([flag], multiple=True, shell_complete=complete, metavar="TEXT…", **shared)
    if str(spec.type).startswith("dict"):
        return click.Option([flag], type=JsonObject(), metavar="JSON|@FILE", **shared)
    shown = spec.default not in ("", 0, dataclasses.MISSING)
    return click.Option([flag], type=type_of(spec), show_default=shown, shell_complete=complete, **shared)


def default_of(spec: Field) -> dict[str, Any]:
    """Return whether a field must be given, else what it is when it is not."""
    if is_required(spec):
        # Without the word: click takes a default of None for a value.
        return {"required": True}
    return {"default": spec.default_factory() if spec.default_factory is not dataclasses.MISSING else spec.default}


def make_argument(spec: Field, complete: Callable[..., list[CompletionItem]] | None, *, several: bool) -> click.Argument:
    """Return a positional argument; its help is in the verb's usage line."""
    return click.Argument(
        [spec.name], type=type_of(spec), nargs=-1 if several else 1, shell_complete=complete, help=help_of(spec),
        **default_of(spec),
    )  # fmt: skip


def type_of(spec: Field) -> click.ParamType[Any]:
    """Return how the words of a field are read. Raises KeyError for a type that has no form on a command line."""
    low, high = spec.metadata.get("ge"), spec.metadata.get("le")
    if "choices" in spec.metadata:
        return OneOf(spec)
    if spec.metadata.get("is_path"):
        return AbsolutePath()
    if spec.metadata.get("takes_file"):
        return ValueText()
    types: dict[str, click.ParamType[Any]] = {"str": click.STRING, "int": click.IntRange(low, high), "float": Finite(low, high)}
    return types[str(spec.type)]


def help_of(spec: Field) -> str:
    """Return the help of a field with its unit."""
    unit = spec.metadata.get("unit")
    text = str(spec.metadata.get("help", ""))
    if spec.metadata.get("takes_file"):
        text += "; @FILE = what that file holds, @- = standard input, @@x = the text @x"
    return f"{text} ({unit})" if unit else text


ENDS = {"task.submit": "Wait for its end", "task.ask": "Wait for the answer and print it"}
"""What `--wait` waits for."""


def common_options(kind: type[Command]) -> list[click.Parameter]:
    """Return the options that every verb has, and `--wait` for those that may be put to the vote."""
    options: list[click.Parameter] = [
        click.Option(["--dry-run"], is_flag=True, help="Show the plan; change nothing."),
        click.Option(["--reason"], default="", help="Why; kept in the audit."),
        click.Option(["--confirm"], default="", metavar="NAME", help="What a guardrail wants typed: the target's name, of several their number."),
        click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."),
        click.Option(["--output", "-o"], type=click.Choice(["text", "json"]), default="text", help="Form of the answer."),
    ]
    if issubclass(kind, ProposalVerb):
        return options
    ends = ENDS.get(kind.name, "Wait for the verdict where a guardrail puts it to the vote")
    return [*options, click.Option(["--wait"], is_flag=True, help=f"{ends}; the exit code tells how it went.")]


def completer(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    """Return what completes ids of a kind of rows in the shell, or None."""
    if not kind:
        return None

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from fleet_tui.acts import names_of

        root = ctx.find_root()
        return [CompletionItem(name, help=note) for name, note in names_of(root, kind) if name.startswith(incomplete)]

    return complete

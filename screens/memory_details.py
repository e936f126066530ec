"""An entry of memory in full: its value, its versions, who may use it; and one version beside another.

Owner: the document owns which version others are compared with. Values come from the engine when they are looked at, are
in this document alone, and go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from engine.model.entry_rows import Access, EntrySheet, EntryValue, EntryVersion, entry_at
from engine.model.errors import FleetError
from engine.model.memory_commands import RestoreEntry
from engine.model.rows import AgentRow
from engine.model.wire import convert, to_plain
from screens.details import DocumentScreen, LinkedScreen
from screens.entry_forms import edit_value, permit
from screens.feed import Changes
from screens.linked import Link, Linked, LinkedDocument
from screens.memory import forget_of
from screens.present_memory import (
    difference_lines,
    permission_lines,
    plain_of,
    sheet_lines,
    value_lines,
    version_lines,
)
from screens.present_text import Lines, note

VERSION_HEAD = 1
"""Lines above the first version."""


class EntryDetails(LinkedScreen):
    """One entry."""

    NAME: ClassVar[str] = "entry"
    TABS: ClassVar[tuple[str, ...]] = ("value", "history", "permissions")
    HAS_YAML: ClassVar[bool] = True

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__(thing, tab)
        self._versions: Sequence[EntryVersion] = ()
        self._base = 0
        """Record of the version that others are compared with; 0 = each with the one before it."""
        self._sheet: EntrySheet | None = None

    def subject(self) -> str:
        """Return its key."""
        return entry_at(self.thing).key

    # ---- reading

    async def read(self, tab: str) -> Lines | Linked:
        """Read a tab."""
        now, glyphs = self.feed.now(), self.console.glyphs
        if tab == "history":
            return await self._read_history()
        sheet = await self._read_sheet()
        if tab == "permissions":
            access = convert(await self.ask_engine("entry-access", id=self.thing), list[Access])
            return permission_lines(sheet, access, self._names(), glyphs)
        lines = sheet_lines(sheet, now, glyphs)
        return Linked(lines, {0: Link("agents", sheet.row.owner_id)} if sheet.row.owner_id in self.feed.tables["agents"] else {})

    async def read_plain(self) -> object:
        """Return the entry with its value."""
        sheet = await self._read_sheet()
        whole = cast("dict[str, Any]", to_plain(sheet))
        row = {name: value for name, value in sheet.row._asdict().items() if name != "id"}
        refused = {"refused": sheet.value.refused} if sheet.value.refused else {}
        return {**row, "permissions": whole["permissions"], "metadata": sheet.metadata, **refused, "value": plain_of(sheet.value)}

    async def _read_sheet(self) -> EntrySheet:
        self._sheet = convert(await self.ask_engine("entry-sheet", id=self.thing), EntrySheet)
        return self._sheet

    async def _read_history(self) -> Linked:
        self._versions = convert(await self.ask_engine("entry-versions", id=self.thing), list[EntryVersion])
        lines = version_lines(self._versions, self._base, self.feed.now(), self.console.glyphs)
        return Linked(lines, {number: Link("version", str(one.record)) for number, one in enumerate(self._versions, VERSION_HEAD)})

    def _names(self) -> dict[str, str]:
        return {row.id: cast("AgentRow", row).name for row in self.feed.tables["agents"].values()}

    def concerns(self, changes: Changes) -> bool:
        """Tell whether memory changed; which entry it was, events do not say to everybody."""
        return any(event.type.startswith("memory.") for event in changes.events)

    # ---- the chrome and its keys

    def open_link(self, link: Link | None) -> None:
        """Open a version beside the one it is compared with, or what else the line names."""
        if link is None or link.kind != "version":
            super().open_link(link)
        else:
            version = next(one for one in self._versions if str(one.record) == link.id)
            self.console.drill(VersionDetails(self.thing, version, self._compared_with(version)))

    def _compared_with(self, version: EntryVersion) -> EntryVersion | None:
        """Return what a version is compared with: the base, else the one before it; None = it is the first."""
        base = next((one for one in self._versions if one.record == self._base), None)
        if base is not None and base is not version:
            return base
        return next((one for one in self._versions if one.record < version.record), None)

    def _pointed(self) -> EntryVersion | None:
        """Return the version pointed at, or say that there is none."""
        link = self.query_one(LinkedDocument).pointed if self.tab == "history" else None
        found = next((one for one in self._versions if link and str(one.record) == link.id), None)
        if found is None:
            self.console.say("point at a version of its history first", role="warn")
        return found

    def action_base(self) -> None:
        """Compare others with the version pointed at; a second time takes that back."""
        version = self._pointed()
        if version is not None:
            self._base = 0 if self._base == version.record else version.record
            told = f"others are compared with version {version.version} now" if self._base else "each is compared with the one before it"
            self.console.say(told)
            self.show_tab("history")

    def action_restore(self) -> None:
        """Ask to make the entry again what it was in the version pointed at."""
        version = self._pointed()
        if version is not None:
            id_ = entry_at(self.thing)
            self.console.ask([RestoreEntry(id_.key, version.record, namespace=id_.namespace, owner=id_.owner)])

    def action_describe(self) -> None:
        """Show the first tab."""
        self.show_tab(self.TABS[0])

    def action_permit(self) -> None:
        """Ask who may use it, in a form."""
        if self._sheet is not None:
            permit(self, [self._sheet.row])

    def action_edit(self) -> None:
        """Edit it in a form."""
        if self._sheet is not None:
            edit_value(self, self._sheet.row)

    def action_edit_text(self) -> None:
        """Edit its value as text, in an editor."""
        self.console.edit_text("memory", self.thing)

    def action_forget(self) -> None:
        """Ask to delete it."""
        command = forget_of(self._sheet.row) if self._sheet is not None else None
        if command is None:
            self.console.say("you may not delete this entry", role="warn")
        else:
            self.console.ask([command])


class VersionDetails(DocumentScreen):
    """A version of an entry: what it changed, and its whole value."""

    NAME: ClassVar[str] = "version"
    TABS: ClassVar[tuple[str, ...]] = ("changes", "value")

    def __init__(self, path: str, version: EntryVersion, base: EntryVersion | None) -> None:
        super().__init__(path)
        self._version, self._base = version, base

    def subject(self) -> str:
        """Return which version of what it is."""
        beside = f" beside {self._base.version}" if self._base is not None else ""
        return f"{entry_at(self.thing).key}: version {self._version.version}{beside}"

    async def read(self, tab: str) -> Lines | Linked:
        """Read the values that are compared."""
        new = await self._value(self._version.record)
        if tab == "value":
            return value_lines(new, self.console.glyphs)
        if self._base is None:
            return note("nothing is known from before this version")
        old = await self._value(self._base.record)
        return difference_lines(old, new, (f"version {self._base.version}", f"version {self._version.version}"))

    async def _value(self, record: int) -> EntryValue:
        try:
            return convert(await self.ask_engine("entry-version", id=self.thing, record=record), EntryValue)
        except FleetError as error:
            return EntryValue(refused=str(error))

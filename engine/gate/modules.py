"""Modules of operators on their way into the fleet: files are checked, pinned by what they hold, and laid out for the workers.

Owner: of what was checked last (`CHECKED_MAX` modules with their bytes), and of the folder that workers read. One check at a
time. What the fleet has is the state's; the bytes are the journal's, as artifacts, so the folder can be made again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.booster.checking import check_file
from engine.booster.module_folder import ModuleFolder
from engine.memory.contract import Journal, StoredArtifact
from engine.model.booster_commands import AddModule, RemoveModule
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.modules import MODULE_MEDIA, SHORT_HASH, ModuleFacts
from engine.model.verbs import Command
from engine.state import FleetState

logger = logging.getLogger(__name__)

CHECKED_MAX = 4


class ModuleShelf:
    """What gates ask about modules."""

    def __init__(self, state: Callable[[], FleetState], journal: Journal, folder: Path, *, directory: Path, no_booster: str) -> None:
        """`directory` is where relative paths begin; `no_booster` says why nobody could run a module, empty if somebody can."""
        self._state = state
        self._no_booster = no_booster
        self._journal = journal
        self._folder = ModuleFolder(folder)
        self._directory = directory
        self._checked: OrderedDict[str, tuple[ModuleFacts, bytes]] = OrderedDict()
        self._turn = asyncio.Lock()

    def checked(self, sha256: str) -> ModuleFacts | None:
        """Return what is known of a module that was checked just now, or that the fleet has."""
        entry = self._checked.get(sha256)
        if entry is not None:
            return entry[0]
        return next((module.facts for module in self._state().modules.values() if module.facts.sha256 == sha256), None)

    def wanted(self) -> list[str]:
        """Return the hashes of the modules that the fleet has, in order."""
        return sorted(module.facts.sha256 for module in self._state().modules.values())

    async def bytes_of(self, sha256: str) -> bytes | None:
        """Return what a module of the fleet holds, None where it has none of that hash, or lost it. Raises JournalError."""
        stored = await self._journal.artifact(sha256) if sha256 in self.wanted() else None
        return stored.data if stored is not None and stored.media == MODULE_MEDIA else None

    async def restore(self) -> None:
        """Lay out what the fleet has, from the artifacts where files lack or were changed; remove what it has not."""
        wanted = {module.facts.sha256: module.name for module in self._state().modules.values()}
        for sha256, name in wanted.items():
            if await asyncio.to_thread(self._folder.has, sha256):
                continue
            stored = await self._journal.artifact(sha256)
            if stored is None:
                logger.error("the bytes of a module are lost; add it again", extra={"name_given": name, "sha256": sha256})
                continue
            try:
                await asyncio.to_thread(self._folder.write, sha256, stored.data)
            except CommandRefused as error:
                logger.error("a module cannot be laid out for the workers", extra={"name_given": name, "reason": str(error)})  # noqa: TRY400
        await asyncio.to_thread(self._folder.tidy, wanted)

    async def pin(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Return verbs with the hash of what their files hold now. Raises CommandRefused for a file that is not what was meant."""
        if not any(isinstance(command, AddModule) for command in commands):
            return commands
        if self._no_booster:
            raise CommandRefused(f"there is no booster that could run a module: {self._no_booster}")
        return [await self._pin(command) if isinstance(command, AddModule) else command for command in commands]

    async def fetch(self, commands: Sequence[Command], *, lays_out: bool) -> list[StoredArtifact]:
        """Have at hand what verbs add and, if asked, lay it out; return what the journal is to keep. Raises FleetError."""
        kept = []
        for command in commands:
            if isinstance(command, AddModule):
                if command.sha256 not in self._checked:
                    await self._take_again(command)
                facts, wasm = self._checked[command.sha256]
                if lays_out:
                    await asyncio.to_thread(self._folder.write, facts.sha256, wasm)
                kept.append(StoredArtifact(facts.sha256, MODULE_MEDIA, wasm, ""))
        return kept

    def tidy(self, commands: Sequence[Command] | str) -> None:
        """Remove the files of modules that the fleet has not, nor is about to have."""
        is_about_modules = isinstance(commands, str) or isinstance(commands[0], AddModule | RemoveModule | UndoPlan | RedoPlan)
        if is_about_modules and not self._turn.locked():
            self._folder.tidy({*self._checked, *(module.facts.sha256 for module in self._state().modules.values())})

    async def _pin(self, command: AddModule) -> AddModule:
        if not command.path:
            if not command.sha256:
                raise UsageError(f"name the file: add-module {command.module} PATH")
            await self._take_again(command)
            return command
        path = _place(self._directory, command.path)
        facts = await self._check(path)
        if command.sha256 and command.sha256 != facts.sha256:
            raise CommandRefused(
                f"{path} holds {facts.sha256[:SHORT_HASH]} now, not {command.sha256[:SHORT_HASH]} as was meant: it has changed since; make the plan again"
            )
        return replace(command, path=str(path), sha256=facts.sha256)

    async def _take_again(self, command: AddModule) -> None:
        """Check once more what the journal has kept. Raises NotFound, CommandRefused."""
        stored = await self._journal.artifact(command.sha256)
        if stored is None or stored.media != MODULE_MEDIA:
            raise NotFound(f"no module {command.sha256[:SHORT_HASH]!r} is kept; name its file: add-module {command.module} PATH")
        async with self._turn:
            await asyncio.to_thread(self._folder.write, command.sha256, stored.data)
            self._note(*await check_file(self._folder.path_of(command.sha256)))

    async def _check(self, path: Path) -> ModuleFacts:
        async with self._turn:
            facts, wasm = await check_file(path)
        self._note(facts, wasm)
        return facts

    def _note(self, facts: ModuleFacts, wasm: bytes) -> None:
        self._checked[facts.sha256] = (facts, wasm)
        self._checked.move_to_end(facts.sha256)
        while len(self._checked) > CHECKED_MAX:
            self._checked.popitem(last=False)


def _place(directory: Path, word: str) -> Path:
    return directory / Path(word).expanduser()

"""The one table of keys as they are out of the box: bindings, hints, `?`, the palette and the docs are made from it.

A scope is where a key works: a view's name, a part that several views share (`table`, `document`, `task`, `screen` for
every view, `app`, `anywhere`), a kind of dialog, or a widget that has the focus (`rows`, `stream`, `text`, `line`, `prompt`).
`screens.keys` says which scopes meet, `screens.keymap` what is in force after a preset and the user's file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Key(NamedTuple):
    """One binding: its id is stable and can be remapped."""

    id: str
    keys: str
    """Textual's names, separated by commas; empty = not bound."""
    action: str
    """What the node of the scope does: `action_…` or `_action_…`."""
    label: str
    """One or two words for the hint line; empty = not hinted."""
    help: str
    scope: str
    is_eager: bool = False
    """Acted on before the next key is looked at, since it opens something that the next keys are meant for."""

    def with_keys(self, keys: Iterable[str]) -> Key:
        """Return the same binding on other keys."""
        return self._replace(keys=",".join(keys))


KEYS: tuple[Key, ...] = (
    # everywhere
    Key("app.command", "colon", "command_line", "command", "command line: a view, or any verb with its arguments", "app", is_eager=True),
    Key("app.help", "question_mark", "help", "keys", "keys of this view", "app"),
    Key("app.palette", "ctrl+p", "command_palette", "", "palette of views and verbs", "app"),
    Key("app.home", "0", "view('pulse')", "", "home: the pulse of the fleet", "app"),
    *(Key(f"app.bookmark_{slot}", str(slot), f"open_bookmark({slot})", "", "open a bookmark", "app") for slot in range(1, 10)),
    Key("app.bookmark", "B", "bookmark", "", "keep this view under a digit, with its filter and sort", "app", is_eager=True),
    Key("app.inbox", "exclamation_mark", "view('inbox')", "", "inbox: what needs somebody", "app"),
    Key("app.next_need", "full_stop", "next_need", "", "the next thing that needs somebody, from anywhere", "app"),
    Key("app.history_back", "left_square_bracket", "history(-1)", "", "view before this one, as it was left", "app"),
    Key("app.history_forward", "right_square_bracket", "history(1)", "", "view after this one", "app"),
    Key("app.last_view", "minus", "last_view", "", "the other view", "app"),
    Key("app.undo", "u", "undo", "undo", "undo my last plan, while its window is open", "app"),
    Key("app.redo", "U", "redo", "", "apply my last undone plan again", "app"),
    Key("app.export", "ctrl+s,f2", "export", "", "export rows or text as CSV, JSON, text, or the screen as a picture", "app"),
    Key("app.suspend", "ctrl+z", "to_shell", "", "back to the shell for a while; `fg` comes again", "app"),
    Key("app.theme", "ctrl+t", "next_theme", "", "next colour theme, kept; :skin shows them all", "app"),
    Key("app.quit", "q", "leave", "quit", "leave; asks what becomes of the engine", "app"),
    Key("app.quit_now", "ctrl+c", "leave", "", "leave", "app"),
    # anywhere
    Key("anywhere.help", "f1", "help_here", "", "keys of what has the focus, also in dialogs and while typing", "anywhere", is_eager=True),
    # every view
    Key("screen.back", "escape", "back", "back", "clear the filter, then the marks, then go back", "screen"),
    Key("screen.pause", "p", "pause", "", "hold the view still; data keeps arriving", "screen"),
    Key("screen.compact", "ctrl+e", "compact", "", "hide all but one line around the view, or show it again", "screen"),
    Key("screen.redraw", "ctrl+r", "redraw", "", "read and draw everything anew", "screen"),
    # every table
    Key("table.filter", "slash", "filter", "filter", "filter: words, !not, -r regex, -f fuzzy, field=value, field>80, age<2h", "table", is_eager=True),
    Key("table.submit", "n", "submit_task", "new task", "submit a task", "table", is_eager=True),
    Key("table.sort", "S", "sort", "", "sort by a column, chosen from a list", "table", is_eager=True),
    Key("table.invert_sort", "I", "invert_sort", "", "turn the order round", "table"),
    Key("table.wide", "w", "wide", "", "all columns, or those that fit", "table"),
    Key("table.copy", "c", "copy", "", "copy the name (OSC 52, works over SSH)", "table"),
    # rows: a table that has the focus
    Key("table.open", "enter", "open", "open", "open what is pointed at", "rows"),
    Key("table.up", "up,k", "step(-1)", "", "row up", "rows"),
    Key("table.down", "down,j", "step(1)", "", "row down", "rows"),
    Key("table.page_up", "pageup,ctrl+b", "page(-1)", "", "page up", "rows"),
    Key("table.page_down", "pagedown,ctrl+f", "page(1)", "", "page down", "rows"),
    Key("table.half_page_up", "ctrl+u", "page(-0.5)", "", "half a page up", "rows"),
    Key("table.half_page_down", "", "page(0.5)", "", "half a page down", "rows"),
    Key("table.first", "home,g", "edge(0)", "", "first row", "rows"),
    Key("table.last", "end,G", "edge(-1)", "", "last row", "rows"),
    Key("table.left", "left", "shift(-8)", "", "columns to the left", "rows"),
    Key("table.right", "right", "shift(8)", "", "columns to the right", "rows"),
    Key("table.mark", "space", "mark", "", "mark the row; verbs act on all marked rows", "rows"),
    Key("table.mark_range", "ctrl+space,ctrl+@,V", "mark_range", "", "mark from the last mark to here", "rows"),
    Key("table.invert_marks", "asterisk", "invert_marks", "", "marked becomes unmarked and the other way round", "rows"),
    # whatever thing a row or a text is about
    Key("thing.describe", "d", "describe", "", "describe it: all that is known of it", "described"),
    Key("thing.yaml", "y", "yaml", "", "as YAML, to read and to copy", "written"),
    Key("thing.why", "X", "why", "why", "why it is as it is: a sentence, and facts that lead on", "explained"),
    Key("thing.timeline", "T", "timeline", "", "what happened to it", "timed"),
    Key("thing.edit", "e", "edit", "edit", "edit it in a form: checked as you type, shown as a plan", "edited", is_eager=True),
    Key("thing.edit_text", "E", "edit_text", "", "edit it as text in $VISUAL or $EDITOR, then see the plan", "edited", is_eager=True),
    # links: lines of a text that name things
    Key("links.open", "enter", "open_link", "open", "open what the line pointed at names", "links"),
    # pulse
    Key("pulse.next_list", "tab", "app.focus_next", "next list", "next list: needs, pools, hosts", "pulse"),
    Key("pulse.list_before", "shift+tab", "app.focus_previous", "", "list before", "pulse"),
    Key("pulse.zoom", "z", "zoom", "", "this list fills the view, or shares it again", "pulse"),
    Key("pulse.submit", "n", "submit_task", "new task", "submit a task", "pulse", is_eager=True),
    # pools
    Key("pools.scale", "s", "scale", "scale", "scale: 12, +3, -2, 150%, =min or =max", "pools", is_eager=True),
    Key("pools.more", "greater_than_sign", "stage(1)", "+1", "one agent more, staged until it is reviewed or dropped", "pools"),
    Key("pools.fewer", "less_than_sign", "stage(-1)", "-1", "one agent fewer, staged", "pools"),
    Key("pools.pause", "f", "freeze", "pause pool", "pause or resume placing tasks on the pool", "pools"),
    Key("pools.tasks", "t", "tasks", "tasks", "tasks of the pool", "pools"),
    # pool
    Key("pool.range", "r", "range", "size", "its size over an hour, a day, 7 or 30 days", "pool"),
    # booster
    Key("booster.clear", "z", "clear_cache", "clear cache", "have the booster forget the answers that it keeps; shows the plan", "booster"),
    # inbox
    Key("inbox.acknowledge", "a", "acknowledge", "put away", "put it away until it changes", "inbox"),
    Key("inbox.snooze", "m", "snooze(1)", "1 hour", "put it away for an hour", "inbox"),
    Key("inbox.snooze_long", "M", "snooze(8)", "8 hours", "put it away for eight hours", "inbox"),
    Key("inbox.bring_back", "A", "bring_back", "", "show again what was put away", "inbox"),
    # what agents ask
    Key("asked.allow", "Y", "allow", "allow", "allow what the agent asks for, once", "asked"),
    Key("asked.always", "W", "allow_always", "always", "allow it, and what is like it in this pool from now on: by a rule that is shown first", "asked"),
    Key("asked.deny", "D", "deny", "deny", "deny it, with words for the agent", "asked"),
    Key("asked.reply", "R", "reply", "reply", "reply to a question", "asked"),
    # limits
    Key("budget.raise", "b", "raise_limit", "raise", "raise a limit on what work may use, in a form; shows the plan", "budget"),
    # report
    Key("report.range", "r", "range", "range", "about the last hour, day, 7 or 30 days", "report"),
    Key("report.baseline", "b", "baseline", "compare", "compare with the next baseline, or with the span before", "report"),
    Key("report.apply", "a", "apply", "apply", "do what is proposed for the agent or pool of the line; shows the plan", "report"),
    # trends
    Key("trends.range", "r", "range", "range", "an hour, a day, 7 or 30 days", "trends"),
    Key("trends.compare", "c", "compare", "compare", "beside it the same time yesterday, or the span before", "trends"),
    Key("trends.pool", "o", "pool(1)", "pool", "the fleet, then one pool after the other", "trends"),
    Key("trends.pool_back", "O", "pool(-1)", "", "the pool before", "trends"),
    Key("trends.quantile", "percent_sign", "quantile", "quantile", "of durations: 50, 95 or 99 of a hundred", "trends"),
    # dashboards
    Key("dash.next", "tab", "app.focus_next", "next", "the next figure, list or map", "dash"),
    Key("dash.before", "shift+tab", "app.focus_previous", "", "the one before", "dash"),
    Key("dash.zoom", "z", "zoom", "zoom", "this one fills the view, or shares it again", "dash"),
    Key("dash.range", "r", "range", "range", "all figures over an hour, a day, 7 or 30 days, or each as it says", "dash"),
    Key("dash.choose", "o", "choose", "other", "another dashboard, from a list", "dash"),
    Key("panel.open", "enter", "open_panel", "open", "the history of the figure", "panel"),
    # heat map
    Key("heatmap.mode", "tab", "mode", "pools, agents", "pools over time, or every agent at once", "heatmap"),
    Key("heatmap.metric", "m", "metric", "metric", "another metric, from a list", "heatmap", is_eager=True),
    Key("heatmap.range", "r", "range", "range", "pools: an hour, a day, 7 or 30 days; agents: a minute, an hour, a day", "heatmap"),
    Key("heatmap.earlier", "less_than_sign", "scroll_time(-1)", "earlier", "back in history", "heatmap"),
    Key("heatmap.later", "greater_than_sign", "scroll_time(1)", "later", "forward in history, as far as now", "heatmap"),
    Key("heatmap.quantile", "percent_sign", "quantile", "", "of durations: 50, 95 or 99 of a hundred", "heatmap"),
    # cells: a heat map that has the focus
    Key("cells.open", "enter", "open_cell", "open", "the pool or agent under the cursor", "cells"),
    Key("cells.up", "up,k", "step_track(-1)", "", "cell above", "cells"),
    Key("cells.down", "down,j", "step_track(1)", "", "cell below", "cells"),
    Key("cells.left", "left,h", "step_cell(-1)", "", "cell to the left; beyond the edge: back in history", "cells"),
    Key("cells.right", "right,l", "step_cell(1)", "", "cell to the right; beyond the edge: forward in history", "cells"),
    Key("cells.first", "home", "edge_cell(-1)", "", "first cell of the line", "cells"),
    Key("cells.last", "end", "edge_cell(1)", "", "last cell of the line", "cells"),
    Key("cells.top", "g,pageup", "edge_track(-1)", "", "first line", "cells"),
    Key("cells.bottom", "G,pagedown", "edge_track(1)", "", "last line", "cells"),
    # graph: a drawn graph that has the focus
    Key("graph.open", "enter", "open_spot", "open", "what is pointed at: pulse, process, pool or agent", "graph"),
    Key("graph.fold", "space", "fold", "fold", "fold the process to one line, or open it", "graph"),
    Key("graph.out", "left,h", "out", "", "what this hangs on; the agent before", "graph"),
    Key("graph.into", "right,l", "into", "", "what hangs on this; the next agent", "graph"),
    Key("graph.up", "up,k", "along(-1)", "", "the one above", "graph"),
    Key("graph.down", "down,j", "along(1)", "", "the one below", "graph"),
    Key("graph.page_up", "pageup,ctrl+b", "page(-1)", "", "several up", "graph"),
    Key("graph.page_down", "pagedown,ctrl+f", "page(1)", "", "several down", "graph"),
    Key("graph.first", "home,g", "edge(0)", "", "the first of its kind", "graph"),
    Key("graph.last", "end,G", "edge(-1)", "", "the last of its kind", "graph"),
    # x-ray
    Key("xray.fold_all", "z", "fold_all", "open all", "open every pool, or close every branch", "xray"),
    Key("xray.scale", "s", "scale", "scale", "scale the pools: 12, +3, -2, 150%, =min or =max", "xray", is_eager=True),
    Key("xray.pause", "f", "freeze", "pause pool", "pause or resume placing tasks on the pools", "xray"),
    Key("xray.cancel", "x", "cancel", "cancel task", "cancel tasks: stops a running one in its process", "xray"),
    Key("xray.retry", "R", "retry", "", "run failed, cancelled or dead tasks again", "xray"),
    # branches: a tree that has the focus
    Key("branches.open", "right", "fold(1)", "branch", "open the branch", "branches"),
    Key("branches.close", "left", "fold(-1)", "", "close the branch; of what hangs on it: go to where it hangs", "branches"),
    # alerts, rules, silences, channels
    Key("alerting.next", "tab", "next_list(1)", "next list", "next list: alerts by how they stand, rules, silences, channels", "alerting"),
    Key("alerting.before", "shift+tab", "next_list(-1)", "", "list before", "alerting"),
    Key("alerts.take", "a", "acknowledge", "take", "say that you take care of it, or that nobody does any more", "alert"),
    Key("alerts.silence", "s", "silence", "silence", "tell nobody of it, and of what is like it, for a while: labels and time in a form", "alert", is_eager=True),
    Key("alerts.unsilence", "x", "end_silence", "", "end the silence that keeps it quiet", "alert"),
    Key("alerts.figures", "r", "range", "figures", "its figures beside the limit: an hour, a day, 7 or 30 days", "figures"),
    Key("rules.create", "plus", "create", "new", "make a rule; the form says when it would have fired in the last day", "rules", is_eager=True),
    Key("rule.edit", "e", "edit", "edit", "edit the rule in a form, which says when it would have fired; shown as a plan", "watched", is_eager=True),
    Key("rule.edit_text", "E", "edit_text", "", "edit the rule as text in $VISUAL or $EDITOR, then see the plan", "watched", is_eager=True),
    Key("rules.past", "r", "range", "past", "when it would have fired: an hour, a day, 7 or 30 days", "rule"),
    Key("rules.switch", "f", "switch", "on/off", "watch it, or watch it no more", "rule"),
    Key("rules.delete", "x", "delete", "", "remove it; its alerts are resolved", "rule"),
    Key("silences.create", "plus", "create", "new", "tell nobody of some alerts for a while", "silences", is_eager=True),
    Key("silences.end", "x", "end_silence", "end", "end it before its time is over", "silence"),
    Key("channels.test", "t", "test", "test", "send a test through it, past all that waits, and say how it went", "channel"),
    Key("channels.requeue", "r", "requeue", "send again", "have what is parked for it wait again, with all attempts", "channel"),
    Key("channels.notifications", "o", "notifications", "notifications", "what went through it, or is to", "channel"),
    Key("notifications.requeue", "r", "requeue", "send again", "have it wait for its channel again, with all attempts", "notification"),
    # events that a group of the bus gave up on
    Key("dead-events.replay", "r", "replay", "tell again", "tell it again to the group that gave it up; shows the plan", "dead event"),
    Key("dead-events.drop", "x", "drop", "remove", "remove it: the group never gets it; shows the plan", "dead event"),
    # regions
    Key("regions.take", "f", "fail_over", "take over", "take the region over: it lives at the server of this one until it is handed back", "region"),
    Key("regions.back", "b", "fail_back", "hand back", "hand a region that was taken over back to its own server", "region"),
    # scaler, policies
    Key("scaler.hold", "f", "hold", "hold", "hold the size against the autoscaler for 10 minutes, or release it", "scaler"),
    Key("scaler.policies", "P", "policies", "policies", "all policies", "scaler"),
    Key("policies.create", "plus", "create", "new", "make a policy", "policies", is_eager=True),
    Key("policies.switch", "f", "switch", "on/off", "switch it on or off", "policies"),
    Key("policy.edit", "e", "edit", "edit", "edit the policy in a form: checked as you type, tried on the past, shown as a plan", "policy", is_eager=True),
    Key("policy.edit_text", "E", "edit_text", "", "edit the policy as text in $VISUAL or $EDITOR, then see the plan", "policy", is_eager=True),
    Key("policies.delete", "x", "delete", "", "remove it; its pools keep their sizes", "policies"),
    # optimize, gangs
    Key("optimize.apply", "a", "apply", "apply", "make it smaller as recommended; shows the plan", "optimize"),
    Key("gangs.ask", "plus", "create", "new", "ask for agents that start together or not at all", "gangs", is_eager=True),
    Key("gangs.end", "x", "end", "end", "end it: it waits no more, or its agents leave; shows the plan", "gang"),
    # memory
    Key("memory.remember", "plus", "remember", "new", "store a value", "memory", is_eager=True),
    Key("memory.search", "s", "search", "search", "look for words in contents, too: best first, of what you may read", "memory", is_eager=True),
    Key("memory.permit", "a", "permit", "access", "who may use it: level and lists in a form; the plan says who gains and who loses", "entry", is_eager=True),
    Key("memory.forget", "x", "forget", "forget", "delete it; shows the plan, and undo brings it back", "entry"),
    Key("entry.edit", "e", "edit", "edit", "edit it in a form, stored only over the version that you saw; shows the plan", "entry", is_eager=True),
    Key("entry.edit_text", "E", "edit_text", "", "edit its value as text in $VISUAL or $EDITOR, then see the plan", "entry", is_eager=True),
    Key("memory.revert", "r", "restore", "revert", "as it was before its last change; shows the plan", "memory"),
    Key("entry.restore", "r", "restore", "restore", "make it again what it was in the version pointed at; shows the plan", "versions"),
    Key("entry.base", "equals_sign", "base", "compare", "compare other versions with the one pointed at, or each with the one before it", "versions"),
    # conflicts
    Key("conflict.keep", "less_than_sign", "settle('won')", "keep left", "keep what won; shows the plan", "conflict"),
    Key("conflict.take", "greater_than_sign", "settle('lost')", "take right", "take what lost; shows the plan", "conflict"),
    Key("conflict.resolve", "r", "resolve", "resolve", "settle it in a form under both values: one of them, or one of your own", "conflict"),
    Key("conflict.merge", "E", "edit_text", "merge", "make one value of both in $VISUAL or $EDITOR, then see the plan", "conflict"),
    # votes
    Key("votes.propose", "plus", "create", "new", "put something to the vote", "votes", is_eager=True),
    Key("votes.approve", "a", "vote('approve')", "approve", "vote for it, as oneself", "vote"),
    Key("votes.reject", "r", "vote('reject')", "reject", "vote against it", "vote"),
    Key("votes.abstain", "o", "vote('abstain')", "", "abstain: take part, and not be for it", "vote"),
    Key("votes.reasons", "R", "vote_with_reasons", "with reasons", "vote in a form: reasons, and how sure one is", "vote", is_eager=True),
    Key("votes.settle", "s", "settle", "settle", "break a deadlock, or veto: for administrators", "vote", is_eager=True),
    Key("votes.extend", "m", "extend", "more time", "five minutes more from now; one that ended undecided opens again", "vote"),
    Key("votes.withdraw", "x", "withdraw", "", "take the proposal back", "vote"),
    # routes
    Key("routes.on", "a", "mode('on')", "decide", "let learned routing decide where it is sure", "routes"),
    Key("routes.shadow", "o", "mode('shadow')", "only watch", "have it learn and say what it would do, and decide nothing", "routes"),
    Key("routes.off", "f", "mode('off')", "off", "have scores alone decide, and nothing learned", "routes"),
    Key("routes.reset", "x", "reset", "reset", "forget what was learned; shows the plan, and undo brings it back", "routes"),
    Key("routes.recall", "R", "recall", "", "take up again what the last reset forgot", "routes"),
    # swarms, sessions
    Key("swarms.create", "plus", "create", "new", "make a swarm of agents", "swarms", is_eager=True),
    Key("swarms.give", "o", "give", "objective", "give it an objective: split, worked on, reviewed, voted on", "swarm", is_eager=True),
    Key("swarms.sessions", "s", "sessions", "sessions", "its objectives, and how far each is", "swarm"),
    Key("swarms.change", "e", "change", "edit", "change its topology, members or votes while it runs; shows the plan", "swarm", is_eager=True),
    Key("swarms.pause", "f", "freeze", "pause", "have it begin nothing new, or go on", "swarm"),
    Key("swarms.end", "x", "end", "end", "end it; its agents stay in the fleet", "swarm"),
    Key("sessions.give", "plus", "create", "new", "give a swarm an objective", "sessions", is_eager=True),
    Key("sessions.stop", "x", "stop", "stop", "stop work on it: its tasks are cancelled, its votes withdrawn", "session"),
    # agents
    Key("agents.drain", "ctrl+d", "drain", "drain", "drain: no more work, finish what it has; always shows the plan", "agent"),
    Key("agents.undrain", "D", "undrain", "", "give a drained agent work again", "agent"),
    Key("agents.restart", "r", "restart", "restart", "start anew when its task has ended", "agent"),
    Key("agents.unregister", "K", "unregister", "", "take out of the pool for good", "agent"),
    Key("agents.log", "l", "log", "log", "output of its task", "agent"),
    # hosts
    Key("hosts.drain", "ctrl+d", "drain", "drain", "empty a host that joined: its agents go to others, busy ones when their task ends; shows the plan", "hosts"),
    Key("hosts.cordon", "C", "cordon", "", "start no more agents on a host that joined", "hosts"),
    Key("hosts.uncordon", "D", "uncordon", "", "start agents on it again", "hosts"),
    # tasks
    Key("tasks.cancel", "x", "cancel", "cancel", "cancel: stops a running task in its process", "task"),
    Key("tasks.retry", "r", "retry", "retry", "run a failed, cancelled or dead task again", "task"),
    Key("tasks.raise", "greater_than_sign", "prioritise(1)", "", "priority of a waiting task one up", "task"),
    Key("tasks.lower", "less_than_sign", "prioritise(-1)", "", "priority of a waiting task one down", "task"),
    Key("tasks.log", "l", "log", "log", "its output", "task"),
    Key("tasks.bad", "b", "only_bad", "", "only what failed, is dead or was cancelled", "tasks"),
    # reviews
    Key("reviews.accept", "a", "accept", "accept", "take it over by a merge commit, into the branch at which it began; shows the plan", "review"),
    Key("reviews.otherwise", "A", "accept_otherwise", "", "take it over in a form: cherry-picked, squashed or in no commit, into another branch", "review", is_eager=True),
    Key("reviews.retry", "r", "retry", "feedback", "say what to change: a new task goes on in its worktree; shows the plan", "review", is_eager=True),
    Key("reviews.discard", "x", "discard", "discard", "drop it: its branch goes; shows the plan, and undo brings it back", "review"),
    Key("reviews.task", "t", "task", "task", "the task itself", "review"),
    # bookmarks
    Key("bookmarks.drop", "x", "drop_bookmark", "remove", "empty the digit pointed at", "bookmarks"),
    # plans
    Key("plans.undo", "u", "undo_this", "undo", "undo the plan that is pointed at", "plan"),
    Key("plans.redo", "U", "redo_this", "redo", "apply the undone plan again", "plan"),
    # events
    Key("events.find", "slash", "find", "find", "find text; lines around it stay", "events", is_eager=True),
    # documents
    Key("document.find", "slash", "find", "find", "find text; lines around it stay", "document", is_eager=True),
    Key("document.next", "n", "next_match(1)", "", "next match", "document"),
    Key("document.previous", "N", "next_match(-1)", "", "match before", "document"),
    Key("document.tab", "tab", "next_tab(1)", "next tab", "next tab", "document"),
    Key("document.tab_back", "shift+tab", "next_tab(-1)", "", "tab before", "document"),
    Key("document.copy", "c", "copy", "copy", "copy the text (OSC 52)", "document"),
    # text: a document that has the focus
    Key("document.up", "up,k", "scroll_lines(-1)", "", "line up", "text"),
    Key("document.down", "down,j", "scroll_lines(1)", "", "line down", "text"),
    Key("document.page_up", "pageup,ctrl+b", "scroll_pages(-1)", "", "page up", "text"),
    Key("document.page_down", "pagedown,ctrl+f", "scroll_pages(1)", "", "page down", "text"),
    Key("document.first", "home,g", "go_first", "", "first line", "text"),
    Key("document.last", "end,G", "follow", "", "last line, and whatever comes after it", "text"),
    Key("document.wrap", "w", "toggle_wrap", "", "wrap long lines, or cut them", "text"),
    # keys
    Key("keys.reload", "r", "reload", "read again", "read keys.toml and commands.toml again", "keys"),
    # runs
    Key("runs.stop", "x", "stop", "stop", "end the programs of this run", "runs"),
    # stream: lines that go on coming
    Key("stream.follow", "s", "toggle_follow", "follow", "follow the newest, or stop", "stream"),
    Key("stream.next_match", "n", "find(1)", "", "next match", "stream"),
    Key("stream.previous_match", "N", "find(-1)", "", "match before", "stream"),
    Key("stream.wrap", "w", "toggle_wrap", "", "wrap long lines, or cut them", "stream"),
    Key("stream.clear", "z", "clear", "", "take all lines away; new ones come", "stream"),
    Key("stream.up", "up,k", "scroll_lines(-1)", "", "line up", "stream"),
    Key("stream.down", "down,j", "scroll_lines(1)", "", "line down", "stream"),
    Key("stream.page_up", "pageup,ctrl+b", "scroll_pages(-1)", "", "page up", "stream"),
    Key("stream.page_down", "pagedown,ctrl+f", "scroll_pages(1)", "", "page down", "stream"),
    Key("stream.first", "home,g", "go_first", "", "oldest line", "stream"),
    Key("stream.last", "end,G", "follow", "", "newest line, and follow", "stream"),
    # prompt: the command line and the filter
    Key("prompt.accept", "tab", "take(1)", "", "take the first word that may come, then the next one", "prompt"),
    Key("prompt.accept_before", "shift+tab", "take(-1)", "", "take the word before", "prompt"),
    Key("prompt.accept_shown", "ctrl+f", "take(0)", "", "take the ghost text", "prompt"),
    Key("prompt.older", "up", "older(1)", "", "older line of the history", "prompt"),
    Key("prompt.newer", "down", "older(-1)", "", "newer line of the history", "prompt"),
    # line: anything that is typed into
    Key("line.submit", "enter", "submit", "", "take what is typed", "line"),
    Key("line.left", "left", "cursor_left", "", "character left", "line"),
    Key("line.right", "right", "cursor_right", "", "character right; at the end: take the ghost text", "line"),
    Key("line.word_left", "ctrl+left", "cursor_left_word", "", "word left", "line"),
    Key("line.word_right", "ctrl+right", "cursor_right_word", "", "word right", "line"),
    Key("line.start", "home,ctrl+a", "home", "", "start of the line", "line"),
    Key("line.end", "end,ctrl+e", "end", "", "end of the line", "line"),
    Key("line.delete_left", "backspace", "delete_left", "", "delete the character before", "line"),
    Key("line.delete_right", "delete,ctrl+d", "delete_right", "", "delete the character under the cursor", "line"),
    Key("line.delete_word_left", "ctrl+w,alt+backspace", "delete_left_word", "", "delete the word before", "line"),
    Key("line.delete_word_right", "ctrl+delete", "delete_right_word", "", "delete the word after", "line"),
    Key("line.delete_to_start", "ctrl+u", "delete_left_all", "", "delete all before", "line"),
    Key("line.delete_to_end", "ctrl+k", "delete_right_all", "", "delete all after", "line"),
    Key("line.select_left", "shift+left", "cursor_left(True)", "", "select the character before", "line"),
    Key("line.select_right", "shift+right", "cursor_right(True)", "", "select the character after", "line"),
    Key("line.select_to_start", "shift+home", "home(True)", "", "select all before", "line"),
    Key("line.select_to_end", "shift+end", "end(True)", "", "select all after", "line"),
    Key("line.copy", "", "copy", "", "copy what is selected (OSC 52)", "line"),
    Key("line.cut", "ctrl+x", "cut", "", "cut what is selected", "line"),
    Key("line.paste", "ctrl+v", "paste", "", "paste what was copied here; the terminal has its own key for the rest", "line"),
    # no room for any view
    Key("small.leave", "q,ctrl+c", "leave", "", "leave; the engine goes on", "small"),
    # dialogs
    Key("confirm.run", "enter", "answer", "", "run it", "confirm"),
    Key("dialog.drop", "escape,ctrl+c", "drop", "", "close it; nothing changes", "dialog"),
    # agree: a plan to agree to; the line's keys win while somebody types
    Key("agree.next", "tab", "app.focus_next", "", "next field or answer", "agree", is_eager=True),
    Key("agree.previous", "shift+tab", "app.focus_previous", "", "field or answer before", "agree", is_eager=True),
    Key("agree.up", "up", "scroll(-1)", "", "plan up", "agree"),
    Key("agree.down", "down", "scroll(1)", "", "plan down", "agree"),
    Key("agree.page_up", "pageup", "page(-1)", "", "plan a page up", "agree"),
    Key("agree.page_down", "pagedown", "page(1)", "", "plan a page down", "agree"),
    # answer: one that has the focus
    Key("answer.take", "enter,space", "take", "", "give this answer", "answer"),
    Key("answer.next", "right", "app.focus_next", "", "next answer", "answer"),
    Key("answer.previous", "left", "app.focus_previous", "", "answer before", "answer"),
    Key("quit.leave", "l,enter", "answer('leave')", "", "leave; engine and agents go on", "quit"),
    Key("quit.stop", "s", "answer('stop')", "", "stop the engine", "quit"),
    Key("export.csv", "c", "answer('csv')", "", "rows as CSV, for spreadsheets", "export"),
    Key("export.json", "j", "answer('json')", "", "as JSON", "export"),
    Key("export.text", "t", "answer('text')", "", "as text", "export"),
    Key("export.svg", "v", "answer('svg')", "", "the screen as a picture (SVG)", "export"),
    Key("export.html", "h", "answer('html')", "", "a report as a page with its charts (HTML)", "export"),
    Key("export.rows", "r,tab", "rows", "", "other rows: shown, marked, all", "export"),
    # choice: a list to choose from
    Key("choice.drop", "escape,ctrl+c", "drop", "", "close it; nothing changes", "choice"),
    Key("choice.down", "down,ctrl+n", "cursor_down", "", "next", "choices"),
    Key("choice.up", "up,ctrl+p", "cursor_up", "", "one before", "choices"),
    Key("choice.page_down", "pagedown", "page_down", "", "page down", "choices"),
    Key("choice.page_up", "pageup", "page_up", "", "page up", "choices"),
    Key("choice.first", "home", "first", "", "first", "choices"),
    Key("choice.last", "end", "last", "", "last", "choices"),
    Key("choice.select", "enter", "select", "", "choose", "choices"),
    # digits: which bookmark
    *(Key(f"bookmark.keep_{slot}", str(slot), f"choose({slot})", "", "keep the view under this digit", "digits") for slot in range(1, 10)),
    # form: the fields of a verb
    Key("form.send", "ctrl+s,f2", "send", "", "show the plan", "form"),
    Key("form.drop", "escape,ctrl+c", "drop", "", "close it; nothing changes", "form"),
    Key("form.next", "tab,down", "app.focus_next", "", "next field", "form"),
    Key("form.previous", "up,shift+tab", "app.focus_previous", "", "field before", "form"),
    Key("edit.what_if", "f5,ctrl+o", "what_if", "", "what it would have done on what was recorded", "edit"),
    # palette
    Key("palette.drop", "escape", "escape", "", "close it", "palette"),
    Key("palette.down", "down", "cursor_down", "", "next entry", "palette"),
    Key("palette.up", "up", "command_list('cursor_up')", "", "entry before", "palette"),
    Key("palette.page_down", "pagedown", "command_list('page_down')", "", "page down", "palette"),
    Key("palette.page_up", "pageup", "command_list('page_up')", "", "page up", "palette"),
    Key("palette.first", "ctrl+home", "command_list('first')", "", "first entry", "palette"),
    Key("palette.last", "ctrl+end", "command_list('last')", "", "last entry", "palette"),
)
"""Every key, most important first in each scope."""

"""The script by which the fleet and its peers are broken, and how what is left is counted."""

from __future__ import annotations

from collections import Counter

from tests.bench.bench_peers import FAULTS, ROUNDS, TASKS, Outcome, judged, script
from tests.bench.peer_programs import PEERS


def test_a_seed_gives_one_script_with_all_faults_while_tasks_come() -> None:
    blows = script(7)
    assert blows == script(7)
    assert blows != script(8)
    assert Counter(blow.fault for blow in blows) == {fault: ROUNDS * count for fault, count in Counter(FAULTS).items()}
    numbers = [blow.at for blow in blows]
    assert numbers == sorted(set(numbers))
    assert 0 < numbers[0] <= numbers[-1] < TASKS


def test_what_was_taken_and_not_done_is_lost_and_what_was_done_again_is_doubled() -> None:
    notes = ["b 1", "e 1", "b 2", "b 2", "e 2", "b 3", "e 3", "b 3", "e 3", "b 4", "e 4"]
    answered = {1: True, 2: True, 3: True, 4: False, 5: True, 6: False}
    assert judged(notes, answered) == Outcome(taken=4, lost=1, doubled=1, begun_twice=2)


def test_the_programs_of_peers_are_whole() -> None:
    for peer in PEERS:
        compile(peer.program, peer.name, "exec")
        assert "{" not in "".join(peer.worker).replace("{worker}", "")

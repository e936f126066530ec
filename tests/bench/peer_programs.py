"""What peers run in environments of their own: their tasks, and who submits them. Texts, since this project has none of them.

A task notes that it began, works for a moment, and notes that it ended. Who submits reads numbers from its standard input and answers
`ok NUMBER` when the peer has taken the task, `no NUMBER` when it raised.
"""

from __future__ import annotations

from dataclasses import dataclass

WORK_S = 0.05
CONCURRENCY = 2
"""Tasks that each of the two workers does at once."""
AGAIN_S = 5
"""After which peers that can are to hand out again what a worker left."""

_NOTES = f"""
import os, asyncio, time
WORK_S = {WORK_S}
def note(word, number):
    file = os.open(os.environ["PEER_NOTES"], os.O_WRONLY | os.O_APPEND)
    os.write(file, f"{{word}} {{number}}\\n".encode())
    os.close(file)
"""

_SUBMIT = """
import asyncio, sys
async def writer(numbers, submit):
    while True:
        number = await numbers.get()
        try:
            async with asyncio.timeout(10):
                await submit(number)
            print(f"ok {number}", flush=True)
        except Exception as error:
            print(f"no {number}", flush=True)
            print(repr(error), file=sys.stderr, flush=True)
async def submitting(submit):
    numbers, reader = asyncio.Queue(), asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    writers = [asyncio.create_task(writer(numbers, submit)) for _ in range(3)]
    while line := await reader.readline():
        numbers.put_nowait(int(line))
    await asyncio.Event().wait()
"""

_CELERY = """
from celery import Celery
app = Celery("peer", broker=os.environ["PEER_SERVER"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, broker_connection_max_retries=None, {settings})
@app.task(name="work")
def work(number):
    note("b", number)
    time.sleep(WORK_S)
    note("e", number)
async def submit(number):
    await asyncio.to_thread(work.delay, number)
"""

_ARQ = """
from arq import create_pool, func
from arq.connections import RedisSettings
SERVER = RedisSettings.from_dsn(os.environ["PEER_SERVER"])
async def work(ctx, number):
    note("b", number)
    await asyncio.sleep(WORK_S)
    note("e", number)
class WorkerSettings:
    functions = [func(work, timeout={again})]
    redis_settings = SERVER
    max_jobs = {concurrency}
    job_timeout = {again}
    poll_delay = 0.05
pool = None
async def submit(number):
    global pool
    pool = pool or await create_pool(SERVER)
    await pool.enqueue_job("work", number)
"""

_TASKIQ = """
from taskiq_redis import ListQueueBroker, RedisStreamBroker
broker = {broker}
@broker.task(task_name="work")
async def work(number: int) -> None:
    note("b", number)
    await asyncio.sleep(WORK_S)
    note("e", number)
begun = False
async def submit(number):
    global begun
    if not begun:
        await broker.startup()
        begun = True
    await work.kiq(number)
"""

_MAIN = """
if __name__ == "__main__":
    asyncio.run(submitting(submit))
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A task queue on Redis, and how it is set."""

    name: str
    packages: tuple[str, ...]
    text: str
    worker: tuple[str, ...]
    """Arguments of the interpreter of its environment."""

    @property
    def program(self) -> str:
        """Return the text of its module `peer`."""
        return _NOTES + _SUBMIT + self.text + _MAIN


def _celery(name: str, settings: str) -> Peer:
    worker = ("-m", "celery", "-A", "peer", "worker", "--concurrency", str(CONCURRENCY), "--without-gossip", "--without-mingle", "-l", "warning", "-n", "{worker}@here")
    return Peer(name, ("celery[redis]==5.7.0",), _CELERY.replace("{settings}", settings), worker)


def _taskiq(name: str, broker: str) -> Peer:
    worker = ("-m", "taskiq", "worker", "peer:broker", "--workers", "1", "--max-async-tasks", str(CONCURRENCY))
    return Peer(name, ("taskiq==0.13.0", "taskiq-redis==1.2.4"), _TASKIQ.replace("{broker}", broker), worker)


PEERS = (
    _celery("celery", ""),
    _celery("celery_late", f'task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1, broker_transport_options={{"visibility_timeout": {AGAIN_S}}}'),
    Peer("arq", ("arq==0.28.0",), _ARQ.replace("{again}", str(AGAIN_S)).replace("{concurrency}", str(CONCURRENCY)), ("-m", "arq", "peer.WorkerSettings")),
    _taskiq("taskiq_list", 'ListQueueBroker(os.environ["PEER_SERVER"])'),
    _taskiq("taskiq_stream", f'RedisStreamBroker(os.environ["PEER_SERVER"], idle_timeout={1_000 * AGAIN_S})'),
)
"""Celery as it comes, and set to lose nothing; arq; taskiq on lists, and on Streams."""

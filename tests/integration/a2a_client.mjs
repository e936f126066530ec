// A program that speaks to one agent by the A2A project's own library for JavaScript; run with `node --eval`, so that the library is found in the working directory.
// Each line of standard input is a step, {"do", "text", "task"}; each line of standard output is what came, {"step"} says that a step is over.
import { createInterface } from 'node:readline';
import { Message, TaskState, taskStateToJSON } from '@a2a-js/sdk';
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from '@a2a-js/sdk/client';

const [url, token] = process.argv.slice(-2);
const fetchImpl = (to, init = {}) => fetch(to, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${token}` } });
const factory = new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl })], cardResolver: new DefaultAgentCardResolver({ fetchImpl }) });
const say = (told) => console.log(JSON.stringify(told));
const text = (parts) => (parts ?? []).map(({ content }) => (content.$case === 'text' ? content.value : JSON.stringify(content.value))).join('|');
const word = (state) => taskStateToJSON(state).replace('TASK_STATE_', '');
const task = (found) => ({ task: found.id, state: word(found.status.state), asks: text(found.status.message?.parts), made: found.artifacts.map((one) => text(one.parts)) });
const shown = ({ payload: { $case, value } }) =>
  $case === 'task' ? task(value)
  : $case === 'statusUpdate' ? { status: word(value.status.state), asks: text(value.status.message?.parts) }
  : { [$case]: text(value.artifact?.parts) };

const client = await factory.createFromUrl(`${url}/`);
const message = (step) => ({ message: Message.fromJSON({ messageId: step.id ?? crypto.randomUUID(), role: 'ROLE_USER', taskId: step.task ?? '', parts: [{ text: step.text }] }) });
const follow = async (events) => { for await (const event of events) say(shown(event)); };
const steps = {
  card: async () => { const card = await client.getAgentCard(); say({ name: card.name, streaming: card.capabilities.streaming, skills: card.skills.map((one) => one.id) }); },
  send: async (step) => say(task(await client.sendMessage(message(step)))),
  stream: async (step) => follow(client.sendMessageStream(message(step))),
  follow: async (step) => follow(client.resubscribeTask({ id: step.task, tenant: '' })),
  get: async (step) => say(task(await client.getTask({ id: step.task, tenant: '' }))),
  cancel: async (step) => say(task(await client.cancelTask({ id: step.task, tenant: '' }))),
  list: async () => say({ listed: (await client.listTasks({ pageSize: 10, status: TaskState.TASK_STATE_COMPLETED })).tasks.map((one) => one.id) }),
};
for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line);
  // A step is not waited for: one can be cancelled while another follows it.
  steps[step.do](step).catch((error) => say({ error: error.constructor.name, message: error.message })).finally(() => say({ step: step.do }));
}

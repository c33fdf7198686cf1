/**
 * The example page: a task's events as they come, the state of the connection, and the transcript.
 *
 * Address: `?task=<id>&endpoint=<URL of /mcp>`, with `endpoint` repeated for more front ends, and `cursor=local` to go
 * on after a reload where the page was. Whatever the task says is rendered as text.
 */
import { createTaskClient, localStorageCursorStore, type TaskEvent } from '@taskstream/client';
import type { Transcript, TranscriptItem } from '@taskstream/client/transcript';
import {
  eventListFold,
  plainText,
  TaskClientProvider,
  transcriptFold,
  useTask,
  useTaskFold,
  type EventFold,
  type EventList,
} from '@taskstream/react';
import { memo, StrictMode, useRef, useState, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';

const TEXT_CHARS_MAX = 300;
const EVENTS_MAX = 200;

/** The list and the transcript from one stream. */
const list = eventListFold(EVENTS_MAX);
const pageFold: EventFold<{ readonly list: EventList; readonly transcript: Transcript }> = {
  initial: { list: list.initial, transcript: transcriptFold.initial },
  apply: (value, events) => ({
    list: list.apply(value.list, events),
    transcript: transcriptFold.apply(value.transcript, events),
  }),
};

const EventLine = memo(({ event }: { readonly event: TaskEvent }): ReactElement => (
  <li data-seq={event.seq}>
    {event.seq} {plainText(`${event.type} ${JSON.stringify(event.payload)}`, TEXT_CHARS_MAX)}
  </li>
));

function Value({ sign, value }: { readonly sign: string; readonly value: unknown }): ReactElement | null {
  return value === undefined ? null : <code>{sign + plainText(JSON.stringify(value), TEXT_CHARS_MAX)} </code>;
}

const Item = memo(({ item }: { readonly item: TranscriptItem }): ReactElement => (
  <li className={item.state}>
    <p>
      <b>
        {item.kind} {plainText(item.name ?? item.role ?? '', TEXT_CHARS_MAX)}
      </b>{' '}
      {item.state === 'finished' ? null : <small>{item.state}</small>} {plainText(item.text)}
      <Value sign="" value={item.begun?.['input']} />
      <Value sign="→ " value={item.ended?.['output']} />
    </p>
    <Items items={item.children} />
  </li>
));

function Items({ items }: { readonly items: readonly TranscriptItem[] }): ReactElement | null {
  if (items.length === 0) return null;
  return (
    <ul className="items">
      {items.map((item) => (
        <Item key={item.id} item={item} />
      ))}
    </ul>
  );
}

function TaskPage({ taskId, local }: { readonly taskId: string; readonly local: boolean }): ReactElement {
  const renders = useRef(0);
  const connections = useRef<string[]>([]);
  const { task } = useTask(taskId);
  const { value, status, connection, error, gap } = useTaskFold(taskId, pageFold, {
    ...(local && { cursorStore: localStorageCursorStore() }),
  });
  renders.current += 1;
  if (connections.current.at(-1) !== connection) connections.current.push(connection);
  return (
    <article
      data-connection={connection}
      data-connections={connections.current.join(' ')}
      data-renders={renders.current}
      data-status={status}
      data-task-status={task?.status}
    >
      <header>
        <h1>{taskId}</h1>
        <span className="badge">{status ?? task?.status ?? 'unknown'}</span>
        <span className={`badge ${connection}`}>{connection}</span>
        {gap === undefined ? null : <span className="problem">{`events ${gap.from} to ${gap.to} are gone`}</span>}
        {error === undefined ? null : <span className="problem">{plainText(error.message, TEXT_CHARS_MAX)}</span>}
      </header>
      <main>
        <section className="latest">
          <div>
            <h2>Events{value.list.dropped === 0 ? '' : `, ${value.list.dropped} earlier ones not shown`}</h2>
            <ol className="list">
              {value.list.events.map((event) => (
                <EventLine key={event.seq} event={event} />
              ))}
            </ol>
          </div>
        </section>
        <section>
          <h2>Transcript</h2>
          <Items items={value.transcript.roots} />
        </section>
      </main>
    </article>
  );
}

function App(): ReactElement {
  const [query] = useState(() => new URLSearchParams(location.search));
  const [client] = useState(() => createTaskClient({ endpoints: query.getAll('endpoint') }));
  const [open, setOpen] = useState(true);
  const taskId = query.get('task') ?? '';
  return (
    <TaskClientProvider client={client}>
      <button type="button" onClick={() => setOpen(!open)}>
        {open ? 'Close' : 'Open'}
      </button>
      {open ? <TaskPage key={taskId} taskId={taskId} local={query.get('cursor') === 'local'} /> : null}
    </TaskClientProvider>
  );
}

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

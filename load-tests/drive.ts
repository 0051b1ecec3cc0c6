// The driver: sends what a plan says at the times it says, and measures from those times. `node load-tests/drive.ts PLAN`
// is a process of its own, with the plan as JSON; a line of JSON a second on stdout tells how far it is, the last the result.

import { type Answered, type Connection, openConnection, TIMED_OUT, toBytes } from './connection.ts';
import { createOutcomes, type Outcomes, percentile, type PhaseFigures, type PhaseTimes } from './outcomes.ts';
import { type RequestKind, requestOf, type Target, WAY_MS } from './requests.ts';
import { arrivalCount, arrivalMs } from './schedule.ts';

/** A rate, or as many connections that each wait for their answer. */
export type DriveLoad = { readonly from: number; readonly to: number } | { readonly connections: number };

export interface DriveStream {
  readonly request: RequestKind;
  readonly base: string;
  /** One a phase. */
  readonly loads: readonly DriveLoad[];
  /** In place of the request's own. */
  readonly timeoutMs?: number;
  /** The run ends once so many were answered; for streams of connections. */
  readonly requests?: number;
}

export interface DrivePlan {
  readonly target: Target;
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
  readonly streams: readonly DriveStream[];
}

export interface StreamFigures {
  readonly request: RequestKind;
  readonly phases: readonly PhaseFigures[];
  /** The first answer that was none of 2xx, 429 and 504, or what broke. */
  readonly firstFault: string | null;
}

export interface DriveResult {
  readonly streams: readonly StreamFigures[];
  readonly seconds: number;
  /** How late the driver itself sent what it was to send at a time; NaN where nothing was. It counts in the latencies. */
  readonly lateP99Ms: number;
  /** Of one core, that the driver used: near 1 it can send no more, whatever the server could answer. */
  readonly driverCores: number;
  /** The driver stopped early: the plan had more requests than it keeps. */
  readonly isCut: boolean;
}

export interface DriveProgress {
  readonly phase: string;
  readonly seconds: number;
  readonly sent: number;
  readonly answered: number;
  readonly refused: number;
}

/** An answer that takes longer never comes. */
const CLIENT_TIMEOUT_MS = 10_000;
const MOST_REQUESTS = 5_000_000;
const MOST_CONNECTIONS = 512;
/** Different bodies of a kind, sent in turn. */
const BODIES = 2000;
const SWEEP_MS = 100;

interface Running {
  readonly stream: DriveStream;
  readonly url: URL;
  readonly requests: readonly Buffer[];
  readonly goodWithinMs: number;
  readonly outcomes: Outcomes;
  readonly open: Set<Connection>;
  readonly idle: Connection[];
  /** Those that no connection was free for, with the time they were to go at. */
  readonly queue: number[];
  next: number;
  underWay: number;
  firstFault: string | null;
}

export async function drive(plan: DrivePlan, tell: (progress: DriveProgress) => void = () => {}): Promise<DriveResult> {
  const streams = plan.streams.map((stream) => start(plan.target, stream));
  const phases = timesOf(plan.phases);
  const endOfAllMs = phases.at(-1)?.endMs ?? 0;
  const late: number[] = [];
  let [sent, answered, refused, isCut] = [0, 0, 0, false];
  const startCpu = process.cpuUsage();
  const startMs = performance.now();
  const nowMs = (): number => performance.now() - startMs;

  /** Sends one request that was to go at `intendedMs`; `free` hears when its connection may take another. */
  const send = (one: Running, connection: Connection, intendedMs: number, free: () => void): void => {
    const request = one.requests[one.next++ % one.requests.length] as Buffer;
    sent++;
    one.underWay++;
    const done: Answered = (status, text) => {
      one.underWay--;
      one.outcomes.add(intendedMs, nowMs(), status);
      if (status >= 200 && status < 300) answered++;
      else if (status === 429 || status === 504) refused++;
      else one.firstFault ??= `${status} ${text ?? ''}`.trim();
      if (connection.isClosed) one.open.delete(connection);
      free();
    };
    connection.send(request, done);
  };
  const open = (one: Running): Connection => {
    const connection = openConnection(one.url);
    one.open.add(connection);
    return connection;
  };

  // Open model: a request goes at its time over whatever connection is free, or a new one.
  const sendAt = (one: Running, intendedMs: number): void => {
    let connection = one.idle.pop();
    while (connection !== undefined && !connection.isIdle) {
      one.open.delete(connection);
      connection = one.idle.pop();
    }
    if (connection === undefined) {
      if (one.open.size >= MOST_CONNECTIONS) return void one.queue.push(intendedMs);
      connection = open(one);
    }
    const used = connection;
    late.push(nowMs() - intendedMs);
    send(one, used, intendedMs, () => {
      if (!used.isClosed) one.idle.push(used);
      const waiting = one.queue.shift();
      if (waiting !== undefined) sendAt(one, waiting);
    });
  };

  // Closed model: as many as the phase says, each asking again when it has its answer.
  const keepAsking = (one: Running, place: number): Promise<void> =>
    new Promise((resolve) => {
      let connection: Connection | undefined;
      const again = (): void => {
        const now = nowMs();
        const load = one.stream.loads[phases.findIndex(({ endMs }) => now < endMs)];
        const isWanted = load !== undefined && 'connections' in load && place < load.connections;
        const isDone = one.next >= (one.stream.requests ?? Infinity);
        if (now >= endOfAllMs || isDone || isCut) return resolve();
        if (sent >= MOST_REQUESTS) isCut = true;
        // Another phase may want it: looked at again soon.
        if (!isWanted) return void setTimeout(again, 20);
        if (connection === undefined || connection.isClosed) connection = open(one);
        send(one, connection, now, () => (connection?.isClosed === true ? setTimeout(again, 20) : again()));
      };
      again();
    });

  const sweep = setInterval(() => {
    const before = performance.now() - CLIENT_TIMEOUT_MS;
    for (const { open } of streams)
      for (const connection of open) if (!connection.isIdle && connection.sentMs < before) connection.giveUp(TIMED_OUT);
  }, SWEEP_MS);
  const telling = setInterval(() => {
    const now = nowMs();
    const phase = phases.find(({ endMs }) => now < endMs)?.name ?? 'last answers';
    tell({ phase, seconds: now / 1000, sent, answered, refused });
  }, 1000);

  try {
    const asking = streams.flatMap((one) =>
      Array.from({ length: mostConnections(one.stream) }, (_, place) => keepAsking(one, place)),
    );
    await Promise.all([
      ...asking,
      sendOnTime(
        streams.map((one, at) => dueTimes(one.stream, phases, (at + 1) / (streams.length + 1))),
        nowMs,
        (stream, intendedMs) => {
          if (sent >= MOST_REQUESTS) isCut = true;
          if (!isCut) sendAt(streams[stream] as Running, intendedMs);
        },
      ),
    ]);
    const lastMs = nowMs() + CLIENT_TIMEOUT_MS + 1000;
    while (streams.some(({ underWay, queue }) => underWay + queue.length > 0) && nowMs() < lastMs)
      await new Promise((resolve) => setTimeout(resolve, 10));
  } finally {
    clearInterval(sweep);
    clearInterval(telling);
  }
  const seconds = nowMs() / 1000;
  const { user, system } = process.cpuUsage(startCpu);
  for (const one of streams) {
    // Whatever still waits for a connection was never answered.
    for (const intendedMs of one.queue) one.outcomes.add(intendedMs, nowMs(), TIMED_OUT);
    for (const connection of one.open) connection.close();
  }
  return {
    streams: streams.map(({ stream, outcomes, goodWithinMs, firstFault }) => ({
      request: stream.request,
      phases: outcomes.figures(phases, goodWithinMs),
      firstFault,
    })),
    seconds,
    lateP99Ms: percentile(Float64Array.from(late).sort(), 0.99),
    driverCores: (user + system) / 1e6 / seconds,
    isCut,
  };
}

function start(target: Target, stream: DriveStream): Running {
  const url = new URL(stream.base);
  const first = requestOf(target, stream.request, 0);
  if (first === undefined) throw new Error(`there is no ${stream.request} in the ${target} project`);
  const timeoutMs = stream.timeoutMs ?? first.timeoutMs;
  const deadline = timeoutMs === undefined ? {} : { timeoutMs };
  return {
    stream,
    url,
    requests: Array.from({ length: BODIES }, (_, at) =>
      toBytes(url, { ...(requestOf(target, stream.request, at) ?? first), ...deadline }),
    ),
    goodWithinMs: timeoutMs === undefined ? CLIENT_TIMEOUT_MS : timeoutMs + WAY_MS,
    outcomes: createOutcomes(),
    open: new Set(),
    idle: [],
    queue: [],
    next: 0,
    underWay: 0,
    firstFault: null,
  };
}

function timesOf(phases: DrivePlan['phases']): PhaseTimes[] {
  let startMs = 0;
  return phases.map(({ name, seconds }) => {
    const phase = { name, startMs, endMs: startMs + seconds * 1000 };
    startMs = phase.endMs;
    return phase;
  });
}

function mostConnections({ loads }: DriveStream): number {
  return Math.max(0, ...loads.map((load) => ('connections' in load ? load.connections : 0)));
}

/** The times of a stream's requests, one after another. */
function* dueTimes({ loads }: DriveStream, phases: readonly PhaseTimes[], shift: number): Generator<number, void> {
  for (const [at, { startMs, endMs }] of phases.entries()) {
    const load = loads[at];
    if (load === undefined || 'connections' in load) continue;
    const arrivals = { ...load, seconds: (endMs - startMs) / 1000 };
    const count = arrivalCount(arrivals);
    for (let n = 0; n < count; n++) yield startMs + arrivalMs(arrivals, n, shift);
  }
}

/** Calls `send` for each time of each stream when it has come; several at once when the process was held up. */
async function sendOnTime(
  streams: readonly Generator<number, void>[],
  nowMs: () => number,
  send: (stream: number, intendedMs: number) => void,
): Promise<void> {
  const due = streams.map((times) => times.next().value ?? Infinity);
  for (;;) {
    const now = nowMs();
    for (let stream = 0; stream < due.length; stream++) {
      for (let at = due[stream] as number; at <= now; at = due[stream] as number) {
        send(stream, at);
        due[stream] = streams[stream]?.next().value ?? Infinity;
      }
    }
    const next = Math.min(...due);
    if (next === Infinity) return;
    // A timer's grain is a millisecond. To send more evenly than that would take a core that the server may need.
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, next - nowMs())));
  }
}

if (import.meta.main) {
  const plan = JSON.parse(process.argv[2] ?? '{}') as DrivePlan;
  const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  const result = await drive(plan, (progress) => write({ progress }));
  write({ result });
}

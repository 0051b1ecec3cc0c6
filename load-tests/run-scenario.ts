// A scenario against a server: what the slow model can do is measured first (and again at the end), then the driver sends what
// the table says, beside a bare server that shows what the machine allows meanwhile.

import { type BenchServer, startScript } from '../bench/servers.ts';
import type { DriveLoad, DriveProgress, DriveResult, DriveStream } from './drive.ts';
import { driveApart } from './drive-apart.ts';
import { isHeld, judge, type Verdict } from './judge.ts';
import { watchMemory } from './memory.ts';
import { type RequestKind, requestOf, type Target } from './requests.ts';
import { type Load, loadOf, type Scenario, shorten } from './scenarios.ts';

export interface LoadServer {
  readonly base: string;
  readonly target: Target;
  /** Where it is a process of this run. */
  readonly pid?: number;
}

export interface RunScenario {
  readonly server: LoadServer;
  /** Of the whole run; as the table says when left out. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  readonly tell?: (line: string) => void;
  readonly progress?: (progress: DriveProgress) => void;
}

export interface ScenarioRun {
  readonly scenario: string;
  readonly result: DriveResult;
  readonly capacity: Capacity | null;
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
  readonly isHeld: boolean;
}

/** Requests a second that the slow model answers while it is always asked, before the run and after it (0: nothing). */
export interface Capacity {
  readonly before: number;
  readonly after: number;
  readonly mean: number;
}

/** Throws where the server has nothing that the scenario asks for. */
export async function runScenario(whole: Scenario, options: RunScenario): Promise<ScenarioRun> {
  const { server, seconds, signal, tell = () => {}, progress } = options;
  const scenario = seconds === undefined ? whole : shorten(whole, seconds);
  const streams = scenario.streams.filter(({ request }) => mayAsk(server, request));
  const leftOut = scenario.streams.filter((stream) => !streams.includes(stream)).map(({ request }) => request);
  const wantsCapacity = scenario.streams.some(({ loads }) => loads.some((load) => 'ofCapacity' in load));
  if (
    streams.every(({ request }) => request === 'bare' || request === 'health') ||
    (wantsCapacity && leftOut.length > 0)
  )
    throw new Error(`${scenario.name} needs ${leftOut.join(', ')}, which this server has not: run it without --base`);

  const apart = signal === undefined ? {} : { signal };
  const capacitySeconds = seconds === undefined ? 10 : 4;
  const measure = async (): Promise<number> => {
    const perSecond = await measureCapacity(server, capacitySeconds, signal);
    tell(`the slow model answers ${perSecond.toFixed(1)} requests a second when it is always asked`);
    return perSecond;
  };
  const before = wantsCapacity ? await measure() : NaN;
  const bare = streams.some(({ request }) => request === 'bare') ? await startBare() : undefined;
  try {
    const total = scenario.phases.reduce((sum, phase) => sum + phase.seconds, 0);
    tell(`${scenario.name}: ${scenario.about}; ${total.toFixed(0)} s`);
    const memory = watchMemory(server);
    const result = await driveApart(
      {
        target: server.target,
        phases: scenario.phases,
        streams: streams.map(
          (stream): DriveStream => ({
            request: stream.request,
            base: stream.request === 'bare' ? (bare as BenchServer).url : server.base,
            loads: scenario.phases.map((_, phase) => toDrive(loadOf(stream, phase), before)),
          }),
        ),
      },
      { ...apart, ...(progress === undefined ? {} : { tell: progress }) },
    ).finally(() => memory.stop());
    // A server that did not outlive the run has none any more; the run still has to be told of.
    const after = wantsCapacity ? await measure().catch(() => 0) : NaN;
    signal?.throwIfAborted();
    const capacity = wantsCapacity ? { before, after, mean: after === 0 ? before : (before + after) / 2 } : null;
    const verdicts = judge(scenario, {
      result,
      memoryBytes: memory.stop(),
      seconds: total,
      ...(capacity === null ? {} : { capacityPerSecond: capacity.mean }),
    });
    const notes = notesOf(result, leftOut, capacity);
    return { scenario: scenario.name, result, capacity, verdicts, notes, isHeld: isHeld(verdicts) };
  } finally {
    await bare?.stop();
  }
}

/** Nothing is pushed into a server that somebody else may read. */
function mayAsk({ target, pid }: LoadServer, request: RequestKind): boolean {
  if (request === 'bare') return true;
  return requestOf(target, request, 0) !== undefined && (request !== 'push' || pid !== undefined);
}

/** The bare server beside: a Fastify route that parses the same body and answers a constant. */
function startBare(): Promise<BenchServer> {
  return startScript('ack-server.ts', ['200'], process.cwd());
}

/** So many ask that a batch waits when one is done; with more, answers come in lumps too large for a measure. */
const CAPACITY_CONNECTIONS = 16;
/** So long that nothing is refused meanwhile. */
const CAPACITY_TIMEOUT_MS = 9000;

/** Requests a second of the slow endpoint, closed loop; the first second, in which estimates settle, does not count. */
export async function measureCapacity(server: LoadServer, seconds: number, signal?: AbortSignal): Promise<number> {
  const load = { connections: CAPACITY_CONNECTIONS };
  const { streams } = await driveApart(
    {
      target: server.target,
      phases: [
        { name: 'warm-up', seconds: 1 },
        { name: 'capacity', seconds },
      ],
      streams: [{ request: 'slow', base: server.base, loads: [load, load], timeoutMs: CAPACITY_TIMEOUT_MS }],
    },
    signal === undefined ? {} : { signal },
  );
  const perSecond = streams[0]?.phases[1]?.goodPerSecond ?? 0;
  if (perSecond > 0) return perSecond;
  throw new Error(`the slow model answered nothing: ${streams[0]?.firstFault ?? 'no request was refused either'}`);
}

function toDrive(load: Load, capacityPerSecond: number): DriveLoad {
  if ('connections' in load) return load;
  if ('ofCapacity' in load) {
    const rate = load.ofCapacity * capacityPerSecond;
    return { from: rate, to: rate };
  }
  return { from: load.perSecond, to: load.upTo ?? load.perSecond };
}

/** Of what it was to send at a time: later than that, the latencies are the driver's more than the server's. */
const LATE_MS = 10;
const UNSTEADY = 1.1;
const FULL_CORE = 0.9;

function notesOf(result: DriveResult, leftOut: readonly string[], capacity: Capacity | null): string[] {
  const notes: string[] = [];
  if (leftOut.length > 0) notes.push(`left out of a server that is not this command's own: ${leftOut.join(', ')}`);
  if (result.lateP99Ms > LATE_MS)
    notes.push(
      `the driver itself was late (p99 ${result.lateP99Ms.toFixed(1)} ms): this machine is busy, and latencies are no better than that`,
    );
  if (result.driverCores > FULL_CORE)
    notes.push(
      `the driver itself used ${result.driverCores.toFixed(2)} of a core: it can hardly send more than it did`,
    );
  if (result.isCut) notes.push('the run was cut: it had more requests than are kept');
  if (capacity !== null) {
    const { before, after } = capacity;
    const times = Math.max(before, after) / Math.min(before, after);
    if (after === 0) notes.push('after the run the slow model answers nothing any more');
    else if (times > UNSTEADY)
      notes.push(
        `the slow model's capacity was ${before.toFixed(1)}/s before and ${after.toFixed(1)}/s after: the machine is busy with other things`,
      );
  }
  for (const { request, firstFault } of result.streams)
    if (firstFault !== null) notes.push(`the first fault of ${request}: ${firstFault}`);
  return notes;
}

// What is asked of a server, by kind: the n-th request of a kind has keys and values of its own, since one body for all
// would flatter every cache. Nothing of Node here: k6 reads it too.

export const REQUEST_KINDS = ['predict', 'predict-64', 'read', 'push', 'slow', 'cheap', 'health', 'bare'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

/** `own`: the project that `npm run load` makes. `flights`: the example that `npm run quickstart` leaves. */
export type Target = 'own' | 'flights';

export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** The deadline that it names. */
  readonly timeoutMs?: number;
}

/** Users of the load tests' own project: `user0` and on. */
export const USERS = 2000;
export const PUSHED_COLUMNS = Array.from({ length: 10 }, (_, at) => `c${at}`);

/** What a client of the slow model gives it, and how much later than that an answer is still taken for one in time. */
export const SLOW_TIMEOUT_MS = 1000;
export const WAY_MS = 50;

const AIRPORTS = ['ATL', 'ORD', 'DFW', 'LAX', 'PHX', 'DEN', 'DTW', 'MSP', 'STL', 'IAH', 'LAS', 'CLT'];

/** Undefined where the target has none of the kind. */
export function requestOf(target: Target, kind: RequestKind, number: number): LoadRequest | undefined {
  if (kind === 'health') return { method: 'GET', path: '/health/live' };
  if (kind === 'bare') return post('/ack', { inputs: [{ x: number % 97 }] });
  return target === 'own' ? ownRequest(kind, number) : flightsRequest(kind, number);
}

function post(path: string, body: object): LoadRequest {
  return { method: 'POST', path, body: JSON.stringify(body) };
}

function rows<Row>(count: number, first: number, row: (number: number) => Row): Row[] {
  return Array.from({ length: count }, (_, at) => row(first * count + at));
}

// A stride that shares no divisor with the users, so that neighbours differ.
const userOf = (number: number): string => `user${(number * 7919) % USERS}`;

function ownRequest(kind: RequestKind, number: number): LoadRequest | undefined {
  const asked = (at: number) => ({ user: userOf(at), x: (at % 97) / 10 });
  switch (kind) {
    case 'predict':
      return post('/v1/endpoints/live/predict', { inputs: [asked(number)] });
    case 'predict-64':
      return post('/v1/endpoints/live/predict', { inputs: rows(64, number, asked) });
    case 'read':
      return post('/v1/features/read', { service: 'service', rows: [asked(number)] });
    case 'push':
      return post('/v1/sources/events/push', { rows: [pushedRow(number, Date.now())] });
    case 'slow':
      return {
        ...post('/v1/endpoints/slow/predict', { inputs: [{ x: (number % 89) / 10 }] }),
        timeoutMs: SLOW_TIMEOUT_MS,
      };
    case 'cheap':
      return post('/v1/endpoints/cheap/predict', { inputs: [{ x: (number % 89) / 10 }] });
    default:
      return undefined;
  }
}

/** A row of the own project's source. */
export function pushedRow(number: number, nowMs: number): Readonly<Record<string, string | number>> {
  const values = PUSHED_COLUMNS.map((column, at) => [column, (number * (at + 1)) % 97] as const);
  return { user: userOf(number), at: new Date(nowMs).toISOString(), ...Object.fromEntries(values) };
}

// Nothing is pushed into somebody's project, and there is no slow model.
function flightsRequest(kind: RequestKind, number: number): LoadRequest | undefined {
  const flight = (at: number) => ({
    origin: AIRPORTS[at % AIRPORTS.length],
    destination: AIRPORTS[(at * 5 + 1) % AIRPORTS.length],
    distance: 200 + (at % 41) * 50,
    scheduled_at: `2026-11-${String(1 + (at % 28)).padStart(2, '0')}T${String(at % 24).padStart(2, '0')}:00:00Z`,
  });
  switch (kind) {
    case 'predict':
      return post('/v1/endpoints/delay/predict', { inputs: [flight(number)] });
    case 'predict-64':
      return post('/v1/endpoints/delay/predict', { inputs: rows(64, number, flight) });
    case 'read':
      return post('/v1/features/read', { service: 'delay_features', rows: [flight(number)] });
    default:
      return undefined;
  }
}

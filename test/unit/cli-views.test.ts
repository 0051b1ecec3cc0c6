// The table of `headrace views`: it fits a terminal, and what is short in it is told under it.

import { describe, expect, it } from 'vitest';
import { bars, sparkline } from '../../src/cli/bars.ts';
import { describeViews } from '../../src/cli/describe-views.ts';
import { describeEndpointServers, presentEndpointServer } from '../../src/cli/endpoint-servers.ts';
import { describePrune, presentPrune } from '../../src/cli/log.ts';
import { profileTable } from '../../src/cli/profile-table.ts';
import { createRunView, runLines } from '../../src/cli/run-view.ts';
import { describeRun, presentRun } from '../../src/cli/run.ts';
import { describeTook } from '../../src/cli/took.ts';
import { trafficResult } from '../../src/cli/traffic-result.ts';
import type { ViewStatus } from '../../src/control/index.ts';
import type { RunResult, RunStep, StepProgress } from '../../src/orchestrator/index.ts';
import type { EndpointState, ServedTraffic, ServerRow, TrafficChange, Variant } from '../../src/registry/index.ts';

const HOUR = 3600;
const aged = (seconds: number) => ({ at: '2026-01-31T12:00:00Z', age_seconds: seconds });
const writer = (number: number, waiting: number): ViewStatus['coverage'][number] => {
  const cuts = { covered: 3, shipped: 3 + waiting, open: 4 + waiting, waiting, clock_ahead_seconds: 0 };
  return { writer: number, machine: 'feature-server-7f9c4d', state: 'open', ...cuts };
};
const nothing = { store_lacks: null, waits_for: null, unread_since: null, running: null, failed: null };

const STATUS: ViewStatus = {
  ...nothing,
  view: 'airport_delays',
  version: 'airport_delays@4655d8ec3452',
  current: true,
  complete: true,
  read_by: [
    { kind: 'service', service: 'delay_features', revision: 4 },
    { kind: 'service', service: 'delay_features_v2', revision: 4 },
    { kind: 'model', model: 'delays', version: 3 },
    { kind: 'training_set', id: 'a', name: null },
  ],
  source: 'flights',
  freshness: 'live',
  newest_event: aged(2 * HOUR + 61),
  last_run: { run: 1234, as_of: '2026-01-31T12:00:00Z', finished: aged(26 * HOUR + 5), keys: 1, full: false },
  last_look: aged(61),
  boundary: '2026-01-31T23:59:59.123456Z',
  coverage: [writer(1, 2), writer(2, 1)],
  marks: [],
};

describe('the table of views', () => {
  const lines = (views: readonly ViewStatus[]) => describeViews(views).split('\n');

  it('fits 120 columns, whoever reads a view and however many servers its cuts wait for', () => {
    const text = lines([STATUS, { ...STATUS, current: false, freshness: 'scheduled', complete: false }]);
    for (const line of text.slice(0, 5)) expect(line.length).toBeLessThanOrEqual(120);
    expect(text[1]).toMatch(
      /^airport_delays +4655d8ec3452\* +complete +delay_features, \+3 +live +2h +1234, 1d +1m +2026-01-31 23:59 +3 cuts$/,
    );
  });

  it('fits 120 columns with names of any length, which it cuts, and never the version', () => {
    const service = 'predicted_departure_delay_features_for_gates';
    const long: ViewStatus = {
      ...STATUS,
      view: 'airport_delays_by_carrier_and_by_hour_of_the_day',
      read_by: [{ kind: 'service', service, revision: 4 }],
      freshness: 'scheduled',
      last_run: { ...(STATUS.last_run as NonNullable<ViewStatus['last_run']>), run: 12_345 },
      coverage: [writer(1, 120)],
    };
    const more = { ...long, read_by: [...long.read_by, ...STATUS.read_by] };
    const unread = { ...STATUS, read_by: [], unread_since: '2026-01-31T12:00:00Z' };
    const text = lines([long, more, unread]);
    for (const line of text.slice(0, 4)) expect(line.length).toBeLessThanOrEqual(120);
    expect(text[1]).toMatch(/^airport_delays_b\S*… +4655d8ec3452\* +complete +predicted…  scheduled /);
    expect(text[2]).toMatch(/^airport_delays_b\S*… +4655d8ec3452\* +complete +\w+…, \+4  scheduled /);
    expect(text[3]).toMatch(/^airport_delays +4655d8ec3452\* +complete +none sinc…  live /);
    const short = lines([long, unread].map((one) => ({ ...one, view: 'delays' })));
    for (const line of short.slice(0, 3)) expect(line.length).toBeLessThanOrEqual(120);
    expect(short[1]).toMatch(/ complete +predicted_departure_d…  scheduled /);
    expect(short[2]).toMatch(/ complete +none since 2026-01-31 +live /);
    const alone = lines([{ ...long, read_by: [] }]);
    expect(alone[1]).toMatch(/^airport_delays_by_car…  4655d8ec3452\* /);
    expect(alone[1]?.length).toBeLessThanOrEqual(120);
  });

  it('says under it what is short, and whose cuts wait', () => {
    const text = describeViews([STATUS]);
    expect(text).toContain('* is applied; NEWEST, RUN and LOOK tell how long ago');
    expect(text).toContain('--json tells all in full');
    expect(text).toContain(
      'Cuts of writer 1 on feature-server-7f9c4d, writer 2 on feature-server-7f9c4d wait for a run.',
    );
  });

  it('has its plurals right, and no legend where there is nothing', () => {
    const one = { ...STATUS, read_by: STATUS.read_by.slice(3), coverage: [writer(1, 1)] };
    expect(lines([one])[1]).toMatch(/ 1 training set .* 1 cut$/);
    const unread = { ...one, read_by: [], unread_since: '2026-01-31T12:00:00Z', coverage: [] };
    expect(lines([unread])[1]).toMatch(/ none since 2026-01-31 .* -$/);
    expect(describeViews([])).not.toContain('applied');
  });
});

describe('the servers of an endpoint', () => {
  const server = (pid: number, more: Partial<ServerRow>): ServerRow => {
    const quiet = { startedMicros: 0, seenMicros: 0, revision: 3, failure: null, reads: [], folds: [], prepared: {} };
    return { id: `id-${pid}`, machine: 'one', pid, ...quiet, ...more };
  };
  const by = (told: Partial<ServedTraffic>): Pick<ServerRow, 'endpoints'> => ({
    endpoints: { checkout: { state: 'serving', revision: 4, versions: [1, 2], reason: null, ...told } },
  });
  const active = { name: 'checkout', revision: 4, change: null };
  const preparing = { name: 'checkout', revision: 4, change: { revision: 5, state: 'preparing' } as const };

  it('are told in a line each: state, versions, and why it is not what is wanted', () => {
    const servers = [
      server(11, by({})),
      server(12, by({ state: 'stale', versions: [1], reason: 'version 2 is\nunreadable' })),
      server(13, by({ state: 'failed', revision: null, versions: [], reason: 'it is being loaded' })),
      server(14, by({ revision: 3, versions: [1] })),
      server(15, { revision: null, failure: 'HR_CODE_MISSING: no bundle', endpoints: {} }),
      server(16, { endpoints: {} }),
      server(17, {}),
    ];
    expect(describeEndpointServers(active, servers).split('\n')).toEqual([
      'SERVER  STATE    VERSIONS',
      'one 11  serving  1, 2',
      'one 12  stale    1         version 2 is unreadable',
      'one 13  failed             it is being loaded',
      'one 14  serving  1         has yet to take up revision 4: answers by 3',
      'one 15  -                  has loaded nothing: HR_CODE_MISSING: no bundle',
      'one 16  -                  has not heard of the endpoint',
      'one 17  -                  a build that does not tell',
    ]);
  });

  it('are told how far they are with a change that is being loaded', () => {
    const servers = [
      server(11, { ...by({}), prepared: { checkout: { revision: 5, failure: null } } }),
      server(12, { ...by({}), prepared: { checkout: { revision: 5, failure: 'HR_X: no' } } }),
      server(13, by({})),
    ];
    expect(describeEndpointServers(preparing, servers).split('\n')).toEqual([
      'SERVER  STATE    VERSIONS',
      'one 11  serving  1, 2      has loaded revision 5',
      'one 12  serving  1, 2      can not load revision 5: HR_X: no',
      'one 13  serving  1, 2      is loading revision 5',
    ]);
  });

  it('are none where none runs', () => {
    expect(describeEndpointServers(active, [])).toBe('No server is live.');
  });

  it('are exact in JSON', () => {
    const stale = { state: 'stale', versions: [1], reason: 'no' } as const;
    const of = { id: 'id-12', machine: 'one', pid: 12, revision: 4, prepared: null };
    expect(presentEndpointServer('checkout', server(12, by(stale)))).toEqual({ ...stale, ...of });
    const unknown = { state: null, revision: null, versions: null, prepared: null };
    const failed = presentEndpointServer('checkout', server(17, { failure: 'HR_X: no' }));
    expect(failed).toMatchObject({ ...unknown, reason: 'HR_X: no' });
    expect(presentEndpointServer('constructor', server(11, by({})))).toMatchObject(unknown);
  });
});

describe('bars', () => {
  it('are full for the greatest, and show the least', () => {
    expect(bars([0, 1, 500, 1000, 250, 999])).toBe(' ▁▅█▃█');
    expect(bars([7])).toBe('█');
    expect([bars([0.001, 0.02], 0.25), bars([0.125, 0.5], 0.25)]).toEqual(['▁▁', '▃█']);
  });
});

describe('a profile’s table', () => {
  it('has a line a feature: numbers with their spread, values with their shares, an old set with its null rates', () => {
    const quantiles = { p01: -30, p05: -12.3456, p25: 0, p50: 8, p75: 20, p95: 1234567.8, p99: 3e6 };
    const histogram = { edges: [0, 1, 2], counts: [1, 3] };
    const top = Object.entries({ AA: 60, 'D"L': 30, UA: 10 }).map(([value, rows]) => ({ value, rows }));
    const text = profileTable([
      { name: 'delay', type: 'float64', nullRate: 0.015, rows: 1000, nulls: 15, distinct: 12345, quantiles, histogram },
      { name: 'carrier', type: 'string', nullRate: 0.5, rows: 200, nulls: 100, distinct: 3, top },
      { name: 'at', type: 'timestamp', nullRate: 0, rows: 1, nulls: 0, distinct: 1, min: 1.7e15, max: 1.7e15 + 1 },
      { name: 'old', type: 'int64', nullRate: 1 },
    ]);
    expect(text.split('\n').map((one) => one.trimEnd().replaceAll(/ {2,}/g, '  '))).toEqual([
      '  delay  float64  1.5 % null  12,345 values  ▃█  -12.35 … 8 … 1.235e+6',
      '  carrier  string  50.0 % null  3 values  █▅▂  "AA" 60 %, "D\\"L" 30 %, "UA" 10 %',
      '  at  timestamp  0.0 % null  1 value  2023-11-14T22:13:20Z … 2023-11-14T22:13:20.000001Z',
      '  old  int64  100.0 % null',
    ]);
  });
});

it('draws numbers from 0 to the greatest, and gaps where there are none', () => {
  expect(sparkline([0, 1, null, 4, 8])).toBe('▁▂ ▅█');
  expect(sparkline([0, 0])).toBe('▁▁');
  expect(sparkline([])).toBe('');
  expect(sparkline([null, null])).toBe('  ');
});

it('draws the greatest of each stretch where there are more numbers than room', () => {
  const line = sparkline(
    Array.from({ length: 120 }, (_, at) => (at === 71 ? 10 : 1)),
    60,
  );
  expect(line).toHaveLength(60);
  expect(line[35]).toBe('█');
  expect(new Set([...line].filter((_, at) => at !== 35))).toEqual(new Set(['▂']));
});

describe('how long it took', () => {
  const SECOND = 1_000_000;

  it('is told to a tenth of a second, of what lasts to the second, and of what lasts longer to the minute', () => {
    expect([0, 1, 0.26 * SECOND, 59.99 * SECOND].map(describeTook)).toEqual(['0.0 s', '0.0 s', '0.2 s', '59.9 s']);
    expect([60, 90.7, 3599.9].map((seconds) => describeTook(seconds * SECOND))).toEqual(['1m', '1m30s', '59m59s']);
    expect([3600, 5432, 90_000].map((seconds) => describeTook(seconds * SECOND))).toEqual(['1h', '1h30m', '1d1h']);
    expect(describeTook(null)).toBe('');
  });

  const counts = { running: 0, retry: 0, succeeded: 1, failed: 0, cancelled: 0 };
  const step = (name: string, other: Partial<RunStep>): RunStep => {
    const times = { openedAtMicros: 20 * SECOND, endedAtMicros: 32.5 * SECOND };
    return { name, state: 'succeeded', children: 1, counts, error: null, ...times, ...other };
  };
  const never = { state: 'skipped', children: null, openedAtMicros: null, endedAtMicros: null } as const;
  const times = { createdAtMicros: 0, startedAtMicros: 10 * SECOND, finishedAtMicros: 100 * SECOND };
  const steps = [step('fit', { result: { auc: 1 } }), step('never', never)];
  const ran = { id: 'r', pipeline: 'p', state: 'succeeded', error: null, params: {} } as const;
  const run: RunResult = { ...ran, ...times, tickMicros: null, steps };

  it('stands in the picture of a run, beside what it and its steps came to', () => {
    expect(describeRun(run).split('\n')).toEqual([
      'run r of p: succeeded in 1m30s',
      '  fit              succeeded  1/1     12.5 s  {"auc":1}',
      '  never            skipped',
    ]);
  });

  it('is there in JSON in seconds, null where something has not ended or was never begun', () => {
    const took = { started_at: '1970-01-01T00:00:10Z', finished_at: '1970-01-01T00:01:40Z', seconds: 90 };
    expect(presentRun(run)).toMatchObject({
      ...took,
      steps: [
        { name: 'fit', started_at: '1970-01-01T00:00:20Z', seconds: 12.5 },
        { name: 'never', started_at: null, finished_at: null, seconds: null },
      ],
    });
    const going = { ...run, finishedAtMicros: null, steps: [step('fit', { state: 'open', endedAtMicros: null })] };
    expect(presentRun(going)).toMatchObject({
      seconds: null,
      steps: [{ started_at: '1970-01-01T00:00:20Z', finished_at: null, seconds: null }],
    });
    expect(describeRun(going)).toMatch(/^run r of p: succeeded\n/);
  });
});

describe('a run', () => {
  const NONE = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const step = (name: string, more: Partial<StepProgress> = {}): StepProgress => {
    const waiting = { isGroup: false, depth: 0, state: 'waiting', longestMicros: null, waitsFor: [] } as const;
    return { name, ...waiting, children: null, counts: NONE, ...more };
  };
  const told: string[] = [];
  const view = (isTerminal = false) => {
    told.length = 0;
    return createRunView((text) => told.push(text), plain, { isTerminal, columns: 80, rows: 24 });
  };
  const plain = (_format: unknown, text: string): string => text;
  const steps = [
    step('export', { state: 'succeeded', children: 1, counts: { ...NONE, succeeded: 1 } }),
    step('fit', {
      state: 'open',
      children: 8,
      counts: { ...NONE, succeeded: 2, running: 2, retry: 1 },
      longestMicros: 75e6,
    }),
    step('register', { waitsFor: ['fit'] }),
  ];

  const of = { runId: 'r', step: 'fit', isChild: true, attempt: 1 } as const;

  describe('a run on a terminal', () => {
    it('has a line a step: how far, what runs, what is slow and what is waited for', () => {
      expect(runLines(steps, plain, 120, 20)).toEqual([
        '  ✓ export    1/1',
        '  ▸ fit       █████░░░░░░░░░░░░░░░  2/8  2 running  1 to be tried again  the longest for 75 s',
        '  · register  waits for fit',
      ]);
    });

    it('says that a single task failed, is to be tried again, or runs', () => {
      const [line] = runLines(
        [step('fit', { state: 'open', children: 4, counts: { ...NONE, failed: 1, retry: 1, running: 1 } })],
        plain,
        120,
        20,
      );
      expect(line).toContain('1 running  1 to be tried again  1 failed');
    });

    it('says which runs have the slots that it waits for', () => {
      const holders = [
        { run: 'a', slots: 2, isDriven: true },
        { run: 'b', slots: 1, isDriven: false },
      ];
      const open = { state: 'open' as const, children: 8, counts: { ...NONE, running: 1 } };
      const fit = step('fit', { ...open, waitsForPool: { pool: 'warehouse', slots: 1, holders } });
      const [line] = runLines([fit], plain, 200, 20);
      expect(line).toBe(
        '  ▸ fit  ░░░░░░░░░░░░░░░░░░░░  0/8  1 running  waits for pool warehouse (held by run a: 2; run b: 1, whose driver is gone: `headrace runs resume b` or `cancel` frees them)',
      );
      const { onProgress } = view();
      const wait = { pool: 'warehouse', holders: holders.slice(0, 1) };
      // While some of it runs it is no news.
      onProgress([step('fit', { ...open, waitsForPool: { ...wait, slots: 1 } })]);
      for (let looks = 0; looks < 3; looks++)
        onProgress([step('fit', { ...open, waitsForPool: { ...wait, slots: 0 } })]);
      expect(told).toEqual(['  fit waits for pool warehouse (held by run a: 2)']);
    });

    it('fits the screen: what is over makes room, and lines are cut', () => {
      const many = Array.from({ length: 30 }, (_, at) => step(`s${at}`, at < 25 ? { state: 'succeeded' } : {}));
      const lines = runLines(many, plain, 80, 5);
      expect(lines).toHaveLength(5);
      expect(lines.at(-1)).toBe('  and 26 more');
      for (const line of runLines(steps, plain, 60, 20)) expect(line.length).toBeLessThanOrEqual(60);
    });

    it('is drawn over itself, with what does not do well above it', () => {
      const { onProgress, onTask, close } = view(true);
      onProgress(steps);
      onTask({ ...of, scope: '17', index: 3, reason: 'exit code 1', event: 'will retry', seconds: 2 });
      close();
      expect(told[1]).toBe('\u001b[3A\u001b[0J  fit[17/3] will retry in 2.0 s: exit code 1');
      expect(told.at(-1)?.startsWith('\u001b[3A\u001b[0J  ✓ export')).toBe(true);
    });
  });

  it('elsewhere it tells of each step once, and of tasks that do not do well', () => {
    const { onProgress, onTask, close } = view();
    onProgress(steps);
    onProgress(steps);
    onTask({ ...of, scope: '', index: 0, event: 'succeeded' });
    onTask({ ...of, scope: '', index: 1, event: 'failed', reason: 'no' });
    close();
    expect(told).toEqual(['  export succeeded 1/1', '  fit[1] failed: no']);
  });

  it('elsewhere it tells that a Python environment is built, and goes on being so', () => {
    const { onEnvironment } = view();
    const built = { builds: [0.01, 30.02], done: [95.4], waits: [60], failed: [3.2] } as const;
    for (const [state, times] of Object.entries(built))
      for (const seconds of times)
        onEnvironment({ of: 'requirements.txt', state: state as keyof typeof built, seconds });
    expect(told).toEqual([
      '  Python environment of requirements.txt is being built',
      '  Python environment of requirements.txt is being built, for 30.0 s by now',
      '  Python environment of requirements.txt is there after 1m35s',
      '  Python environment of requirements.txt is being built by another process, for 1m by now',
      '  Python environment of requirements.txt could not be built after 3.2 s',
    ]);
  });
});

describe('a change of traffic', () => {
  const stable: Variant = { name: 'stable', version: 1, weight: 90, ranges: [[0, 9000]] };
  const candidate: Variant = { name: 'candidate', version: 2, weight: 10, ranges: [[9000, 10_000]] };
  const none = { shadows: [], experiments: [] };
  const variants = [stable, candidate];
  const made = { askedMicros: 0, actor: 'ann', reason: null, failures: [] };
  const change: TrafficChange = { ...none, ...made, revision: 4, variants, state: 'active' };
  const of = { name: 'checkout', model: 'returns', unit: ['customer'], salt: 's', rollout: null, candidate: null };
  const active: EndpointState = { ...none, ...of, variants, revision: 4, etag: '"r4"', change };
  const asked = [
    { ...stable, version: 'champion' },
    { ...candidate, version: '2' },
  ];

  it('that every server answers by is done', () => {
    const result = trafficResult(active, asked, { servers: 2, waitsFor: [] });
    expect(result).toMatchObject({
      text: 'checkout: stable=1:90 candidate=2:10\nchampion is version 1',
      json: { revision: 4, waitsFor: [], servers: 2, change: null },
    });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that left a variant nothing says what became of the rollout, and no version of what is not there', () => {
    const ended = { ...active, variants: [{ ...stable, weight: 100 }], change: { ...change, endsRollout: 'r-1' } };
    expect(trafficResult(ended, asked, { servers: 2, waitsFor: [] }).text).toBe(
      'checkout: stable=1:100\nchampion is version 1\nRollout r-1 has ended: the base now has what its candidate had, or was to get beside other versions.',
    );
  });

  it('that no server is there to load says so, and what checks it', () => {
    const result = trafficResult(active, asked, { servers: 0, waitsFor: [] });
    expect(result.text).toBe(
      'checkout: stable=1:90 candidate=2:10\nchampion is version 1\n' +
        'No server is live, so nothing has loaded it yet: the next one to start does. `headrace doctor` checks that its artifact is there.',
    );
    expect(result).toMatchObject({ json: { servers: 0, waitsFor: [] } });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that is active names the servers that have yet to answer by it', () => {
    const result = trafficResult(active, asked, { servers: 2, waitsFor: ['one 12', 'two 7'] });
    expect(result.text).toContain('\nIt is active. These have not told yet that they answer by it: one 12, two 7.');
    expect(result).toMatchObject({ json: { waitsFor: ['one 12', 'two 7'] } });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that is active stays so where nobody knows which servers answer by it, and says that', () => {
    const result = trafficResult(active, asked, undefined);
    expect(result.text).toContain('\nIt is active. Which servers answer by it already is not known');
    expect(result).toMatchObject({ json: { waitsFor: null, servers: null } });
    expect(result.exitCode ?? 0).toBe(0);
  });

  it('that overrides a rollout says what became of it', () => {
    const servers = { servers: 2, waitsFor: [] };
    expect(trafficResult({ ...active, rollout: 'r-1' }, [], servers).text).toBe(
      'checkout: stable=1:90 candidate=2:10\nRollout r-1 is still under way, and guards its candidate.',
    );
    const ended = trafficResult({ ...active, change: { ...change, endsRollout: 'r-1' } }, [], servers);
    expect(ended.text).toContain('\nRollout r-1 has ended: the base now has what its candidate had');
    expect(ended.json).toMatchObject({ rollout: null, endedRollout: 'r-1' });
    const ending: TrafficChange = { ...change, state: 'preparing', endsRollout: 'r-1' };
    const waiting = trafficResult({ ...active, rollout: 'r-1', change: ending }, [], servers);
    expect(waiting.text).toContain('goes on. Rollout r-1 guards that, and ends then.');
  });

  it('that is still being loaded names the servers that it waits for, and is not done', () => {
    const before = { ...active, variants: [{ ...stable, weight: 100 }], revision: 3, etag: '"r3"' };
    const result = trafficResult({ ...before, change: { ...change, state: 'preparing' } }, asked, {
      servers: 1,
      waitsFor: ['one 12'],
    });
    expect(result.exitCode).toBe(3);
    expect(result.text).toBe(
      'checkout: revision 4 is being loaded by one 12, and is active once all have it; until then stable=1:100 goes on. ' +
        'See `headrace endpoints show checkout`.',
    );
    const expected = { revision: 3, waitsFor: ['one 12'], change: { revision: 4, state: 'preparing' } };
    expect(result.json).toMatchObject(expected);
  });
});

it.each([
  ['1 to 2', { from: 1, to: 2 }, 2],
  ['1 to 1', { from: 1, to: 1 }, 1],
  ['none', null, 0],
])('says that %s of a writer’s cuts go', (text, cuts, through) => {
  const report = { oldUpTo: null, writers: [{ writer: 7, from: 1, through, rows: new Map(), stays: null }] };
  expect(presentPrune(report)).toMatchObject({ writers: [{ writer: 7, cuts }] });
  expect(describePrune(report)).toMatch(new RegExp(`^7 +${text} +0`, 'm'));
});

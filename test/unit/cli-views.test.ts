// The table of `headrace views`: it fits a terminal, and what is short in it is told under it.

import { describe, expect, it } from 'vitest';
import { describeViews } from '../../src/cli/describe-views.ts';
import type { ViewStatus } from '../../src/control/index.ts';

const HOUR = 3600;
const aged = (seconds: number) => ({ at: '2026-01-31T12:00:00Z', age_seconds: seconds });
const writer = (number: number, waiting: number): ViewStatus['coverage'][number] => ({
  writer: number,
  machine: 'feature-server-7f9c4d',
  state: 'open',
  covered: 3,
  shipped: 3 + waiting,
  open: 4 + waiting,
  waiting,
  clock_ahead_seconds: 0,
});

const STATUS: ViewStatus = {
  view: 'airport_delays',
  version: 'airport_delays@4655d8ec3452',
  current: true,
  complete: true,
  store_lacks: null,
  waits_for: null,
  read_by: [
    { kind: 'service', service: 'delay_features', revision: 4 },
    { kind: 'service', service: 'delay_features_v2', revision: 4 },
    { kind: 'model', model: 'delays', version: 3 },
    { kind: 'training_set', id: 'a', name: null },
  ],
  unread_since: null,
  source: 'flights',
  freshness: 'live',
  newest_event: aged(2 * HOUR + 61),
  last_run: { run: 1234, as_of: '2026-01-31T12:00:00Z', finished: aged(26 * HOUR + 5), keys: 1, full: false },
  last_look: aged(61),
  running: null,
  failed: null,
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
    const short = lines([
      { ...long, view: 'delays' },
      { ...unread, view: 'delays' },
    ]);
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

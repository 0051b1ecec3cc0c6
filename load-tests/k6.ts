// A scenario of the table as a k6 script: `npm run load -- NAME --k6` calls it. By hand:
//   k6 run -e SCENARIO=steady -e BASE=http://127.0.0.1:8080 -e TARGET=flights load-tests/k6.ts

import http from 'k6/http';
import { Counter, Rate } from 'k6/metrics';
import exec from 'k6/execution';
import { FAULTS, GOOD, GOOD_COUNT, k6Options } from './k6-options.ts';
import { requestOf, type RequestKind, SLOW_TIMEOUT_MS, type Target, WAY_MS } from './requests.ts';
import { scenarios } from './scenarios.ts';

declare const __ENV: Readonly<Record<string, string | undefined>>;

const base = __ENV['BASE'] ?? 'http://127.0.0.1:8080';
const target: Target = __ENV['TARGET'] === 'own' ? 'own' : 'flights';
const scenario = scenarios.find(({ name }) => name === __ENV['SCENARIO']);
if (scenario === undefined) throw new Error(`-e SCENARIO=${__ENV['SCENARIO'] ?? ''}: no such scenario`);

const good = new Rate(GOOD);
const goodCount = new Counter(GOOD_COUNT);
const faults = new Rate(FAULTS);

export const options = k6Options(scenario, {
  target,
  capacityPerSecond: Number(__ENV['CAPACITY'] ?? '0'),
  ...(__ENV['SECONDS'] === undefined ? {} : { seconds: Number(__ENV['SECONDS']) }),
});

export default function send(): void {
  // Set by each k6 scenario, from the table.
  const kind = __ENV['REQUEST'] as RequestKind;
  const request = requestOf(target, kind, exec.scenario.iterationInTest);
  if (request === undefined) return;
  const { method, path, body, timeoutMs } = request;
  const headers: Record<string, string> = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(timeoutMs === undefined ? {} : { 'x-request-timeout-ms': String(timeoutMs) }),
  };
  const { status, timings } = http.request(method, `${base}${path}`, body ?? null, { headers });
  const isAnswer = status >= 200 && status < 300;
  const isGood = isAnswer && timings.duration <= (timeoutMs ?? SLOW_TIMEOUT_MS) + WAY_MS;
  good.add(isGood);
  if (isGood) goodCount.add(1);
  faults.add(!isAnswer && status !== 429 && status !== 504);
}

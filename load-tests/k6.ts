// The scenarios as a k6 script: k6 run -e BASE=http://127.0.0.1:8080 load-tests/k6.ts
// `npm run load` calls it when k6 is on the PATH.

import { check } from 'k6';
import http from 'k6/http';
import type { Options } from 'k6/options';
import { scenarios } from './scenarios.ts';

declare const __ENV: Readonly<Record<string, string | undefined>>;

const base = __ENV['BASE'] ?? 'http://127.0.0.1:8080';
const key = (name: string) => name.replaceAll(' ', '_');

let startSeconds = 0;
const timeline = scenarios.map((scenario) => {
  const start = startSeconds;
  startSeconds += scenario.seconds + 1;
  return { scenario, start };
});

export const options: Options = {
  scenarios: Object.fromEntries(
    timeline.map(({ scenario, start }) => [
      key(scenario.name),
      {
        executor: 'constant-vus',
        vus: scenario.connections,
        duration: `${scenario.seconds}s`,
        startTime: `${start}s`,
        env: { SCENARIO: scenario.name },
      },
    ]),
  ),
  thresholds: Object.fromEntries(
    scenarios.flatMap((scenario) => [
      [`http_req_duration{scenario:${key(scenario.name)}}`, [`p(99)<${scenario.thresholds.p99Ms}`]],
      [`http_req_failed{scenario:${key(scenario.name)}}`, [`rate<${scenario.thresholds.errorRate}`]],
    ]),
  ),
};

export default function runScenario(): void {
  const scenario = scenarios.find((candidate) => candidate.name === __ENV['SCENARIO']);
  if (scenario === undefined) throw new Error(`no scenario "${__ENV['SCENARIO']}"`);
  const headers = { 'content-type': 'application/json' };
  const response = http.post(`${base}${scenario.path}`, JSON.stringify(scenario.body), { headers });
  check(response, { 'status is 200': (got) => got.status === 200 });
}

// `npm run load [-- --base http://127.0.0.1:8080]`: the scenarios against a server that already runs (`npm start`),
// by k6 when it is on the PATH, else by autocannon. Says which ran; exit 1 past a threshold.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { type Scenario, scenarios } from './scenarios.ts';

const { values } = parseArgs({ options: { base: { type: 'string', default: 'http://127.0.0.1:8080' } } });
const { hostname } = new URL(values.base);
if (hostname !== '127.0.0.1' && hostname !== 'localhost' && hostname !== '[::1]') {
  console.error(`--base ${values.base}: load goes to this machine only; give a loopback address.`);
  process.exit(2);
}

if (spawnSync('k6', ['version'], { stdio: 'ignore' }).status === 0) {
  console.log('Running with k6.');
  const script = fileURLToPath(new URL('k6.ts', import.meta.url));
  process.exit(spawnSync('k6', ['run', '-e', `BASE=${values.base}`, script], { stdio: 'inherit' }).status ?? 1);
}

console.log('k6 is not on the PATH: running the same scenarios with autocannon.');
let isWithin = true;
for (const scenario of scenarios) isWithin = (await runScenario(scenario, values.base)) && isWithin;
process.exit(isWithin ? 0 : 1);

async function runScenario(scenario: Scenario, base: string): Promise<boolean> {
  const result = await autocannon({
    url: `${base}${scenario.path}`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(scenario.body),
    connections: scenario.connections,
    duration: scenario.seconds,
  });
  const failures = result.errors + result.timeouts + result.non2xx;
  const errorRate = failures / Math.max(1, result.requests.total + result.errors);
  const { p99Ms, errorRate: allowed } = scenario.thresholds;
  const passes = result.requests.total > 0 && result.latency.p99 <= p99Ms && errorRate <= allowed;
  console.log(
    `${passes ? 'ok  ' : 'FAIL'} ${scenario.name}: ${Math.round(result.requests.average)} requests/s, ` +
      `p50 ${result.latency.p50} ms, p99 ${result.latency.p99} ms (≤ ${p99Ms}), errors ${(errorRate * 100).toFixed(3)} %`,
  );
  return passes;
}

// `npm run load -- NAME`: a scenario of the table against a server of its own, or one that runs on this machine. Prints what
// was sent and each threshold with what was measured; exits with 1 when one is broken, with 2 when it was asked wrongly.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BenchServer, startHeadrace, untilReady } from '../bench/servers.ts';
import { presentProgress, presentRun } from './present.ts';
import { type LoadServer, measureCapacity, runScenario } from './run-scenario.ts';
import { type Scenario, scenarios } from './scenarios.ts';

const USAGE = `npm run load -- NAME [--seconds N] [--base URL] [--json] [--k6]

Drives a server as the scenario says and holds it to the scenario's thresholds (load-tests/scenarios.ts).

  --list         the scenarios
  --seconds N    the whole run in so many seconds; thresholds that want more are not judged
  --base URL     a server that runs on this machine, of this command's project or of the flights example
                 (npm run quickstart, npm start); nothing is pushed into it. Left out: a server of its own
  --json         one JSON document on stdout
  --k6           by k6, which has to be on the PATH

Exits with 0 when every threshold holds, 1 when one is broken, 2 when asked wrongly.`;

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));

process.exitCode = await main(process.argv.slice(2)).catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  return 1;
});

async function main(argv: readonly string[]): Promise<number> {
  const asked = readArguments(argv);
  if (typeof asked === 'string') {
    console.error(asked);
    return 2;
  }
  const { values, scenario } = asked;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.list) {
    console.log(values.json ? JSON.stringify(scenarios, null, 2) : scenarios.map(describeScenario).join('\n'));
    return 0;
  }
  if (scenario === undefined) {
    console.error(`${USAGE}\n\n${scenarios.map(describeScenario).join('\n')}`);
    return 2;
  }
  if (values.k6 && spawnSync('k6', ['version'], { stdio: 'ignore' }).status !== 0) {
    console.error(
      'k6 is not on the PATH. Get it from https://grafana.com/docs/k6/latest/set-up/install-k6/, or run without --k6.',
    );
    return 2;
  }
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
  const own = values.base === undefined ? await startOwn() : undefined;
  try {
    const server = own?.server ?? (await findServer(values.base ?? ''));
    if (values.k6) return await byK6(scenario, server, seconds);
    const run = await runScenario(scenario, {
      server,
      signal: stopping.signal,
      tell: say,
      progress: (progress) => say(presentProgress(progress)),
      ...(seconds === undefined ? {} : { seconds }),
    });
    console.log(values.json ? JSON.stringify(run, null, 2) : presentRun(run));
    return run.isHeld ? 0 : 1;
  } finally {
    await own?.stop();
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function readArguments(argv: readonly string[]) {
  const options = {
    base: { type: 'string' },
    seconds: { type: 'string' },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    k6: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    const [name, ...others] = positionals;
    if (others.length > 0) return `one scenario at a time, got ${positionals.join(' ')}`;
    const scenario = scenarios.find((one) => one.name === name);
    if (name !== undefined && scenario === undefined)
      return `there is no scenario "${name}"; there are ${scenarios.map((one) => one.name).join(', ')}`;
    if (values.seconds !== undefined && !(Number(values.seconds) > 0 && Number(values.seconds) <= 86_400))
      return `--seconds ${values.seconds}: expected a number of seconds up to a day`;
    if (values.base !== undefined && !isOfThisMachine(values.base))
      return `--base ${values.base}: load goes to this machine only; give an http address of it, such as http://127.0.0.1:8080`;
    return { values, scenario };
  } catch (thrown) {
    return `${(thrown as Error).message}\n\n${USAGE}`;
  }
}

function isOfThisMachine(base: string): boolean {
  const url = URL.parse(base);
  return url?.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
}

function describeScenario({ name, about, phases }: Scenario): string {
  const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  return `  ${name.padEnd(10)} ${about} (${seconds} s)`;
}

async function startOwn(): Promise<{ readonly server: LoadServer; stop(): Promise<void> }> {
  say('making a project and starting its server …');
  // All of Headrace, which whoever only asks for help need not wait for.
  const { createLoadProject } = await import('./own-project.ts');
  const project = await createLoadProject();
  let server: BenchServer | undefined;
  const stop = async (): Promise<void> => {
    await server?.stop();
    project.remove();
  };
  try {
    server = await startHeadrace(project.directory);
    await untilReady(server);
    say(`its server is at ${server.url}; its slow model takes ${project.slowMs.toFixed(1)} ms for one row`);
    return { server: { base: server.url, pid: server.pid, target: 'own' }, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Whose project a running server has is told by its endpoints. */
async function findServer(given: string): Promise<LoadServer> {
  const base = new URL(given).origin;
  const answer = await fetch(`${base}/v1/endpoints`, { signal: AbortSignal.timeout(5000) }).catch((thrown: unknown) => {
    throw new Error(`nothing answers at ${base}`, { cause: thrown });
  });
  const { endpoints = [] } = (await answer.json()) as { readonly endpoints?: readonly { readonly name: string }[] };
  const names = new Set(endpoints.map(({ name }) => name));
  if (['live', 'slow', 'cheap'].every((name) => names.has(name))) return { base, target: 'own' };
  if (names.has('delay')) return { base, target: 'flights' };
  throw new Error(
    `the server at ${base} has endpoints ${[...names].join(', ')}; expected those of the flights example`,
  );
}

async function byK6(scenario: Scenario, server: LoadServer, seconds: number | undefined): Promise<number> {
  const needs = scenario.streams.some(({ loads }) => loads.some((load) => 'ofCapacity' in load));
  const capacity = needs ? await measureCapacity(server, 10, stopping.signal) : 0;
  const words: Readonly<Record<string, string | number>> = {
    SCENARIO: scenario.name,
    BASE: server.base,
    TARGET: server.target,
    CAPACITY: capacity,
    ...(seconds === undefined ? {} : { SECONDS: seconds }),
  };
  const script = fileURLToPath(new URL('k6.ts', import.meta.url));
  const given = Object.entries(words).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const { status } = spawnSync('k6', ['run', ...given, script], { stdio: 'inherit' });
  return status === 0 ? 0 : 1;
}

// `npm run load` as a user runs it: against a server of its own, against one that runs, and what its exit codes say.
// twin: test/unit/load-driver.test.ts > what becomes of requests
// twin: test/unit/load-judge.test.ts > that was not judged says why, and neither breaks a run nor holds it

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ScenarioRun } from '../../load-tests/run-scenario.ts';
import { type CommandOutput, createProject } from '../support/serving-project.ts';
import { testProject } from '../support/test-project.ts';

const PROGRAM = join(import.meta.dirname, '../../load-tests/run.ts');

const temporary = testProject(() => createProject({}));
// The model runtime leaves files of its own.
const leftBehind = (): string[] => readdirSync(temporary.directory).filter((name) => name.startsWith('headrace'));

type Heard = (stderr: string, stop: () => void) => void;
function load(words: string, heard: Heard = () => {}): Promise<CommandOutput> {
  const child = spawn(process.execPath, [PROGRAM, ...words.split(' ').filter((word) => word !== '')], {
    env: { ...process.env, npm_lifecycle_event: '', TMPDIR: temporary.directory, PATH: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard(stderr, () => child.kill('SIGTERM'));
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

describe('with a server of its own', () => {
  it('runs a scenario, shows how far it is, tells each threshold, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await load('steady --seconds 3 --json');
    expect(stderr).toMatch(/steady: \d+ sent, \d+ answered/);
    const run = JSON.parse(stdout) as ScenarioRun;
    expect(run.result.streams.map(({ request }) => request)).toEqual(['predict', 'predict-64', 'read', 'push', 'bare']);
    for (const { request, phases, firstFault } of run.result.streams) {
      expect(firstFault, request).toBeNull();
      for (const { sent, answered } of phases) {
        expect(sent).toBeGreaterThan(0);
        expect(answered, request).toBe(sent);
      }
    }
    for (const { threshold, isMet } of run.verdicts) if (threshold.endsWith('errors')) expect(isMet).toBe(true);
    // How quick it was is the machine's to say, and the exit code tells it.
    expect(run.isHeld).toBe(run.verdicts.every(({ isMet }) => isMet !== false));
    expect(code).toBe(run.isHeld ? 0 : 1);
    expect(leftBehind()).toEqual([]);
  }, 120_000);

  it('that is stopped ends what it started', async () => {
    let isStopped = false;
    const { code, stderr } = await load('steady --seconds 20', (text, stop) => {
      if (!isStopped && text.includes(' sent, ')) stop();
      isStopped = text.includes(' sent, ');
    });
    expect(stderr).toContain('stopped by SIGTERM');
    expect(code).toBe(1);
    const [, url = ''] = /its server is at (http:\S+);/.exec(stderr) ?? [];
    expect(url).toContain('http://127.0.0.1:');
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
    expect(leftBehind()).toEqual([]);
  }, 120_000);
});

/** A server that has the flights example's endpoint, and answers every prediction so; its address. */
async function serveFlights(status: number): Promise<string> {
  const server = createServer((request, response) => {
    const [code, body] = request.url === '/v1/endpoints' ? [200, '{"endpoints":[{"name":"delay"}]}'] : [status, '{}'];
    request.resume().on('end', () => response.writeHead(code, { 'content-length': body.length }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe('with a server that runs', { timeout: 60_000 }, () => {
  it('exits with 1 when a threshold is broken, and names it', async () => {
    const { code, stdout } = await load(`steady --seconds 2 --base ${await serveFlights(500)}`);
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL +predict, steady: errors +≤ 0.1 % +100 %/);
    expect(stdout).toMatch(/FAIL +predict, steady: p99 +≤ 50 ms +no answers/);
    expect(stdout).toContain("Note: left out of a server that is not this command's own: push");
    expect(stdout).toContain('Note: the first fault of predict: 500 {}');
    expect(stdout).toMatch(/steady FAILED: \d+ broken/);
  });

  it('says what a scenario needs that this server has not', async () => {
    const stderr = expect.stringContaining('overload needs slow, cheap, which this server has not');
    expect(await load(`overload --base ${await serveFlights(200)}`)).toMatchObject({ code: 1, stderr });
  });
});

describe('asked wrongly, it exits with 2 and says how', () => {
  it.each([
    ['', 'npm run load -- NAME'],
    ['stedy', 'there is no scenario "stedy"; there are steady, ramp, spike, overload, soak'],
    ['steady ramp', 'one scenario at a time'],
    ['steady --base http://example.com', 'load goes to this machine only'],
    ['steady --base http://127.0.0.1.example.com:80', 'load goes to this machine only'],
    ['steady --seconds 0', 'expected a number of seconds'],
    ['steady --k6', 'k6 is not on the PATH. Get it from https://'],
    ['--fast', "Unknown option '--fast'"],
  ])('%s', async (words, sentence) => {
    expect(await load(words)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });

  it('and lists what there is', async () => {
    const { code, stdout } = await load('--list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/overload +twice what a 20 ms model can do/);
    expect((await load('--help')).stdout).toContain('Exits with 0 when every threshold holds');
  });
});

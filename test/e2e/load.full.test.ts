// `npm run load` as a user runs it: against a server of its own, against one that runs, and what its exit codes say.
// twin: test/unit/load-driver.test.ts > what becomes of requests
// twin: test/unit/load-judge.test.ts > neither breaks a run nor holds it

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScenarioRun } from '../../load-tests/run-scenario.ts';

const PROGRAM = join(import.meta.dirname, '../../load-tests/run.ts');

let temporary: string;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'headrace-load-test-'));
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

// The model runtime leaves files of its own.
const leftBehind = (): string[] => readdirSync(temporary).filter((name) => name.startsWith('headrace'));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function load(args: readonly string[], heard: (stderr: string, stop: () => void) => void = () => {}): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, npm_lifecycle_event: '', TMPDIR: temporary, PATH: '' },
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
    const { code, stdout, stderr } = await load(['steady', '--seconds', '3', '--json']);
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
    const { code, stderr } = await load(['steady', '--seconds', '20'], (text, stop) => {
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

/** A server that has the flights example's endpoint, and answers every prediction so. */
async function serveFlights(status: number): Promise<{ readonly base: string; close(): void }> {
  const server = createServer((request, response) => {
    const [code, body] = request.url === '/v1/endpoints' ? [200, '{"endpoints":[{"name":"delay"}]}'] : [status, '{}'];
    request.resume().on('end', () => response.writeHead(code, { 'content-length': body.length }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe('with a server that runs', () => {
  it('exits with 1 when a threshold is broken, and names it', async () => {
    const server = await serveFlights(500);
    const { code, stdout } = await load(['steady', '--seconds', '2', '--base', server.base]);
    server.close();
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL +predict, steady: errors +≤ 0.1 % +100 %/);
    expect(stdout).toMatch(/FAIL +predict, steady: p99 +≤ 50 ms +no answers/);
    expect(stdout).toContain("Note: left out of a server that is not this command's own: push");
    expect(stdout).toContain('Note: the first fault of predict: 500 {}');
    expect(stdout).toMatch(/steady FAILED: \d+ broken/);
  }, 60_000);

  it('says what a scenario needs that this server has not', async () => {
    const server = await serveFlights(200);
    const { code, stderr } = await load(['overload', '--base', server.base]);
    server.close();
    expect(code).toBe(1);
    expect(stderr).toContain('overload needs slow, cheap, which this server has not');
  });
});

describe('asked wrongly, it exits with 2 and says how', () => {
  it.each([
    [[], 'npm run load -- NAME'],
    [['stedy'], 'there is no scenario "stedy"; there are steady, ramp, spike, overload, soak'],
    [['steady', 'ramp'], 'one scenario at a time'],
    [['steady', '--base', 'http://example.com'], 'load goes to this machine only'],
    [['steady', '--base', 'http://127.0.0.1.example.com:80'], 'load goes to this machine only'],
    [['steady', '--seconds', '0'], 'expected a number of seconds'],
    [['steady', '--k6'], 'k6 is not on the PATH. Get it from https://'],
    [['--fast'], "Unknown option '--fast'"],
  ])('%j', async (args, sentence) => {
    const { code, stderr } = await load(args);
    expect(stderr).toContain(sentence);
    expect(code).toBe(2);
  });

  it('and lists what there is', async () => {
    const { code, stdout } = await load(['--list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/overload +twice what a 20 ms model can do/);
    expect((await load(['--help'])).stdout).toContain('Exits with 0 when every threshold holds');
  });
});

// A project whose definitions change while a server answers: commands run as processes of their own, while pushes and reads
// go on and each answer is held against the meanings that it may have.

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandOutput, MAIN, type Project } from './serving-project.ts';

/** Runs a command in the project's folder without holding this process up; killed with SIGKILL after a while, if told so. */
export function headraceBeside(
  project: Pick<Project, 'directory'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  killAfterMs?: number,
): Promise<CommandOutput> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: project.directory,
    env: { ...process.env, npm_lifecycle_event: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** What a service may answer while `pushed` events count: every feature by its full name. */
export interface Meaning {
  readonly name: string;
  features(pushed: number): Readonly<Record<string, number>>;
}

export type Traffic = ReturnType<typeof startPushes>;

const LIMIT_MS = 15_000;

/** Pushes one event after another until it is stopped. */
export function startPushes(push: () => Promise<void>) {
  let [started, acknowledged] = [0, 0];
  let failure: unknown;
  let isStopped = false;
  const work: Promise<void>[] = [];
  const goOn = (): boolean => !isStopped && failure === undefined;
  const begin = (loop: () => Promise<void>): void => {
    work.push(loop().catch((error: unknown) => void (failure ??= error)));
  };
  begin(async () => {
    while (goOn()) {
      started++;
      await push();
      acknowledged++;
      await sleep(4);
    }
  });

  return {
    /** Reads all the time from now on; an answer is of one meaning, whole, and counts every push that was answered before. */
    read(ask: () => Promise<Readonly<Record<string, unknown>>>, first: Meaning) {
      let allowed: readonly Meaning[] = [first];
      let answers = 0;
      const last = new Map<Meaning, number>();
      begin(async () => {
        while (goOn()) {
          const [from, askedMs, before] = [acknowledged, performance.now(), allowed];
          const answer = await ask();
          const may = [...new Set([...before, ...allowed])];
          const meaning = may.find((one) => isOneOf(answer, one, from, started));
          if (meaning === undefined) throw new Error(wrongAnswer(answer, may, from, started));
          last.set(meaning, askedMs);
          answers++;
          await sleep(2);
        }
      });
      return {
        /** The meanings that answers may have from now on. */
        allow(...meanings: readonly Meaning[]): void {
          allowed = meanings;
        },
        /** Resolves once an answer that was asked for after the call has the meaning. */
        async seen(meaning: Meaning, limitMs = LIMIT_MS): Promise<void> {
          const since = performance.now();
          while ((last.get(meaning) ?? 0) < since) {
            if (failure !== undefined) throw failure;
            if (performance.now() - since > limitMs) throw new Error(`no answer was "${meaning.name}" in time`);
            await sleep(20);
          }
        },
        get answers(): number {
          return answers;
        },
      };
    },
    /** Ends it; throws the first answer that was none of what was allowed, or the first error. */
    async stop(): Promise<void> {
      isStopped = true;
      await Promise.all(work);
      if (failure !== undefined) throw failure;
    },
  };
}

function wrongAnswer(answer: object, may: readonly Meaning[], from: number, to: number): string {
  const expected = may.map(({ name, features }) => `${name}: ${JSON.stringify(features(from))}`).join('; ');
  return `an answer after ${from} and before ${to} pushes is none of what it may be: ${JSON.stringify(answer)} (${expected})`;
}

function isOneOf(answer: Readonly<Record<string, unknown>>, { features }: Meaning, from: number, to: number): boolean {
  for (let pushed = from; pushed <= to; pushed++) {
    const expected = features(pushed);
    const names = Object.keys(expected);
    if (names.length !== Object.keys(answer).length) return false;
    if (names.every((name) => Number(answer[name]) === expected[name])) return true;
  }
  return false;
}

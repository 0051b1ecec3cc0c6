// The guard around each test file: what a file leaves behind in a process that the next file shares.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync } from 'node:fs';
import { connect, createServer, type ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { surroundings, whatIsLeft } from '../support/each-file/surroundings.ts';
import { folderOfFile } from '../support/new-folder.ts';

/** Leaves something behind, and gives what takes it away. */
type Leak = () => (() => unknown) | Promise<() => unknown>;

/** Puts another value in a property of `object`. */
function replace(object: object, name: string): Leak {
  return () => {
    const own = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { value: () => 0, configurable: true, enumerable: true });
    return () => {
      Reflect.deleteProperty(object, name);
      if (own !== undefined) Object.defineProperty(object, name, own);
    };
  };
}

/** A server, and both ends of a connection. */
function connectTo(at: ListenOptions): Leak {
  return async () => {
    const server = createServer().listen(at);
    await once(server, 'listening');
    const address = server.address();
    const client = connect(typeof address === 'string' ? { path: address } : { port: address?.port ?? 0 });
    await Promise.all([once(server, 'connection'), once(client, 'connect')]);
    return () => {
      client.destroy();
      server.close();
    };
  };
}

const folder = folderOfFile();

/** There before a file begins, for it to take away. */
const present = (): void => {};

/** Puts another value in a variable of the environment. */
function vary(name: string, value: string): Leak {
  return () => {
    const before = process.env[name];
    process.env[name] = value;
    return () => (before === undefined ? delete process.env[name] : (process.env[name] = before));
  };
}

const LEAKS: Readonly<Record<string, Leak>> = {
  'variable HEADRACE_LEFT of the environment': vary('HEADRACE_LEFT', '1'),
  'variable HEADRACE_TEST_LEFT of the environment': vary('HEADRACE_TEST_LEFT', '1'),
  'variable NODE_OPTIONS of the environment': vary('NODE_OPTIONS', '--no-warnings'),
  'variable TMPDIR of the environment': vary('TMPDIR', '/nowhere/at/all'),
  'another fetch': replace(globalThis, 'fetch'),
  'another Math.random': replace(Math, 'random'),
  'another performance.now': replace(performance, 'now'),
  'another process.cwd()': () => {
    const before = process.cwd();
    process.chdir(folder);
    return () => process.chdir(before);
  },
  'another process.exitCode': () => {
    process.exitCode = 3;
    return () => (process.exitCode = undefined);
  },
  'a property left of every array or object': replace(Array.prototype, 'left'),
  '1 listeners for the process\'s "SIGUSR2"': () => {
    const listener = (): void => {};
    process.on('SIGUSR2', listener);
    return () => process.off('SIGUSR2', listener);
  },
  'without 1 listeners for the process\'s "SIGUSR2"': () => {
    process.off('SIGUSR2', present);
    return () => process.on('SIGUSR2', present);
  },
  '1 listeners for the process\'s "SIGUSR2"; without 1 listeners for the process\'s "SIGUSR2"': () => {
    const listener = (): void => {};
    process.off('SIGUSR2', present).on('SIGUSR2', listener);
    return () => process.off('SIGUSR2', listener).on('SIGUSR2', present);
  },
  'left among the temporary files': () => {
    mkdirSync(join(tmpdir(), 'left'));
    return () => rmdirSync(join(tmpdir(), 'left'));
  },
  '1 open Timeout': () => {
    const timer = setTimeout(() => {}, 1e9);
    return () => clearTimeout(timer);
  },
  '1 open ProcessWrap': () => {
    const program = spawn('sleep', ['1000'], { stdio: 'ignore' });
    return () => program.kill();
  },
  '1 open TCPServerWrap; 2 open TCPSocketWrap': connectTo({ port: 0 }),
  // Node calls Unix-domain sockets pipes.
  '3 open PipeWrap': connectTo({ path: join(folder, 'socket') }),
};

describe('what a test file leaves behind', () => {
  beforeAll(() => void process.on('SIGUSR2', present));
  afterAll(() => void process.off('SIGUSR2', present));

  it.each(Object.entries(LEAKS))('is found: %s', async (words, leak) => {
    const before = surroundings();
    const undo = await leak();
    const left = await whatIsLeft(before, 0);
    await undo();
    // Beside it, what goes by itself.
    expect(left).toEqual(expect.arrayContaining(words.split('; ')));
    // What is still closing is waited for.
    expect(await whatIsLeft(before)).toEqual([]);
  });
});

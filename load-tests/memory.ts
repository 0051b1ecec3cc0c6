// How much memory a server takes while it runs, looked at now and then: its own pages where it is a process of this run, what
// /metrics says otherwise.

import { readFileSync } from 'node:fs';

export interface MemoryWatch {
  /** Bytes, one after another; empty where nobody tells. */
  stop(): readonly number[];
}

const EVERY_MS = 1000;

export function watchMemory(server: { readonly base: string; readonly pid?: number }): MemoryWatch {
  const bytes: number[] = [];
  let isAsking = false;
  const look = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      const now = server.pid === undefined ? await toldBytes(server.base) : ownBytes(server.pid);
      if (now !== undefined) bytes.push(now);
    } catch {
      // A server that is too busy to tell is asked again.
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void look(), EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      return bytes;
    },
  };
}

/** Linux tells a process's own pages apart from those of files. */
export function ownBytes(pid: number): number | undefined {
  return kilobytesOf(pid, 'RssAnon');
}

/** All that a process has in memory, its programs' and libraries' pages too. */
export function residentBytes(pid: number): number | undefined {
  return kilobytesOf(pid, 'VmRSS');
}

function kilobytesOf(pid: number, name: string): number | undefined {
  try {
    const [, kilobytes] = new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

async function toldBytes(base: string): Promise<number | undefined> {
  const text = await (await fetch(`${base}/metrics`, { signal: AbortSignal.timeout(5000) })).text();
  const [, bytes] = /^process_resident_memory_bytes(?:{[^}]*})? ([\d.e+]+)$/m.exec(text) ?? [];
  return bytes === undefined ? undefined : Number(bytes);
}

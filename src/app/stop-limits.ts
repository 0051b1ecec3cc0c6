// How long a server's stop takes at most: what the worker keeps to, and what its primary waits for.

import type { SettingValues } from './settings.ts';

/** Once the running requests have ended or were cut off, for the logs' last flush, the writer's end and the models, all at once. */
export const CLOSE_LIMIT_MS = 3000;
/** Of which the writer of pushed events gets so much: what else the planes have to close comes after it. */
export const WRITER_LIMIT_MS = CLOSE_LIMIT_MS - 500;
/** Of which models get so much: nobody waits for what they still run. */
export const MODELS_LIMIT_MS = 1000;
/** Then for what telemetry has left to send. */
export const SEND_LIMIT_MS = 3000;
/** Then for the stores. */
export const STORES_LIMIT_MS = 3000;
/** A worker that still is there after this hangs, and is killed: nothing can be lost by it that could be saved. */
const KILL_LIMIT_MS = CLOSE_LIMIT_MS + SEND_LIMIT_MS + STORES_LIMIT_MS + 2000;

/** By the settings of a server. */
export interface DrainLimits {
  /** How long it goes on as if nothing were, but for its readiness. */
  readonly delayMs: number;
  /** How long running requests may take then. */
  readonly timeoutMs: number;
}

export function drainLimits(values: SettingValues): DrainLimits {
  return { delayMs: values['server.drainDelayMs'], timeoutMs: values['server.drainTimeoutMs'] };
}

/** How long a worker may take from when it is told to stop. */
export function killLimitMs({ delayMs, timeoutMs }: DrainLimits): number {
  return delayMs + timeoutMs + KILL_LIMIT_MS;
}

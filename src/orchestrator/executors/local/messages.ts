// What a driver and its launcher tell each other.

import type { EnvironmentBuild } from '../../step/tell-build.ts';
import type { Slice, TaskEvent } from '../executor.ts';

export interface LauncherOptions {
  readonly driver: string;
  readonly artifactsUrl: string;
  readonly cacheDirectory: string;
  readonly environmentsDirectory: string;
  readonly python: string;
  readonly scratch: string;
  readonly workDirectory: string;
  readonly repository: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly graceMs: number;
}

export type ToLauncher =
  | { readonly kind: 'open'; readonly options: LauncherOptions }
  | { readonly kind: 'submit'; readonly slices: readonly Slice[] }
  /** Answered once none of it runs. */
  | { readonly kind: 'cancel'; readonly request: number; readonly slices: readonly string[] }
  /** Answered at once, unless it stands still. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'close' };

export type FromLauncher =
  | { readonly kind: 'events'; readonly events: readonly TaskEvent[]; readonly pace: Pace }
  | { readonly kind: 'cancelled'; readonly request: number }
  | { readonly kind: 'environment'; readonly build: EnvironmentBuild }
  | { readonly kind: 'pong' };

/** Milliseconds that a task took of late, of those in warm processes and of the others; null before the first. */
export interface Pace {
  readonly warmMs: number | null;
  readonly processMs: number | null;
}

// The port through which a server tells its figures: one worker's own, or those of all workers together.

import type { ShadowFigures } from '../../monitoring/index.ts';

export interface LiveStats {
  /** Prometheus' text format. */
  prometheus(): Promise<string>;
  /** The figures of now as plain JSON data, for the stream. */
  live(): Promise<unknown>;
  /** What shadows made of their rows, of all endpoints. */
  shadows(): Promise<readonly ShadowFigures[]>;
}

/** Alerts for the stream: those that are open, and those that closed lately. */
export interface LiveAlerts {
  /** `key` is another once there is something new to tell of it; `isOld` alerts are not told to who has just come. */
  recent(): Promise<readonly { readonly key: string; readonly isOld: boolean; readonly data: unknown }[]>;
}

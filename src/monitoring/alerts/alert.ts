// An alert, and the port by which monitors tell what they saw and people read what is wrong.

import { formatTimestamp, type Json, type Micros } from '../../core/index.ts';

/** What an alert is told by: of one key at most one is open. */
export interface AlertKey {
  /** `drift`, `quality`, `skew`, `monitor_stopped`, … */
  readonly rule: string;
  /** Empty where it is of no endpoint. */
  readonly endpoint: string;
  readonly feature: string | null;
}

/** What a monitor saw in one window. */
export interface Observation extends AlertKey {
  /** `between`: too quiet to open, too loud to close; `no_data` neither counts nor breaks a run. */
  readonly state: 'firing' | 'between' | 'ok' | 'no_data';
  readonly evidence: Json;
  /** The window's end: windows of a key count once, in their order. */
  readonly at: Micros;
  readonly opensAfter: number;
  readonly closesAfter: number;
}

export interface Alert extends AlertKey {
  readonly id: string;
  readonly state: 'open' | 'closed';
  readonly openedMicros: Micros;
  readonly closedMicros: Micros | null;
  /** Of the window that fired last. */
  readonly evidence: Json;
  /** Until when it is not told; null where it is. */
  readonly silencedUntilMicros: Micros | null;
}

/** Every rule that alerts are opened by. */
export const ALERT_RULES = ['drift', 'quality', 'skew', 'monitor_stopped', 'rollout'] as const;

/** What `monitor_stopped` is of. */
export const MONITORS = ['drift', 'quality', 'verify'] as const;

export interface Silence {
  readonly id: string;
  readonly rule: string;
  /** Null: of all. */
  readonly endpoint: string | null;
  readonly feature: string | null;
  readonly fromMicros: Micros;
  readonly untilMicros: Micros;
  readonly actor: string;
  readonly reason: string | null;
}

export type SilenceMatch = Pick<Silence, 'rule' | 'endpoint' | 'feature'>;

export interface AlertQuery {
  readonly state?: 'open' | 'closed';
  readonly rule?: string;
  readonly endpoint?: string;
  /** Of these alone; of none where it is of no endpoint. All when left out. */
  readonly endpoints?: ReadonlySet<string> | undefined;
  /** The newest so many; 1,000 when left out. */
  readonly limit?: number;
}

/**
 * Alerts of one registry. Every process may observe: what it says of a key is taken one after the other, and a window that
 * was said before changes nothing.
 */
export interface Alerts {
  observe(observation: Observation): Promise<void>;
  /** The newest first. */
  list(query?: AlertQuery): Promise<readonly Alert[]>;
  /** Alerts that match open and close as ever; nobody is sent a word of it until the silence ends. */
  silence(silence: Omit<Silence, 'id' | 'fromMicros'>): Promise<Silence>;
  /** Ends the silences of exactly this rule, endpoint and feature. Gives how many there were. */
  unsilence(match: SilenceMatch): Promise<number>;
  /** Those that have not ended. */
  silences(): Promise<readonly Silence[]>;
}

/** As the API, the webhook and the stream tell it. */
export function presentAlert(alert: Alert): Record<string, Json> {
  const { id, rule, endpoint, feature, state, openedMicros, closedMicros, evidence, silencedUntilMicros } = alert;
  return {
    id,
    rule,
    endpoint: endpoint === '' ? null : endpoint,
    feature,
    state,
    opened_at: formatTimestamp(openedMicros),
    closed_at: closedMicros === null ? null : formatTimestamp(closedMicros),
    evidence,
    ...(silencedUntilMicros === null ? {} : { silenced_until: formatTimestamp(silencedUntilMicros) }),
  };
}

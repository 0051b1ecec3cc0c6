// How long predictions are kept, as it is configured: `90d`, and of single endpoints `delay=400d`.

import { HeadraceError, MICROS_PER_HOUR, type Micros, parseDuration } from '../../core/index.ts';

/** Plain, so that a thread can be given it. */
export interface KeepRules {
  /** Infinity keeps for ever. */
  readonly micros: Micros;
  /** Of endpoints that have a time of their own. */
  readonly byEndpoint: Readonly<Record<string, Micros>>;
}

export const KEEP_ALL: KeepRules = { micros: Infinity, byEndpoint: {} };

const FOREVER = 'forever';
const NAME = /^[A-Za-z_][\w-]*$/;

/** Throws HR_CONFIG for what is no rule, or says one thing twice. */
export function parseKeep(text: string): KeepRules {
  const byEndpoint: Record<string, Micros> = {};
  let micros: Micros | undefined;
  for (const rule of text.split(',').map((one) => one.trim())) {
    const [first = '', second, ...others] = rule.split('=').map((part) => part.trim());
    const endpoint = second === undefined ? undefined : first;
    const kept = keptMicros(second ?? first);
    const isRule = kept !== undefined && others.length === 0 && (endpoint === undefined || NAME.test(endpoint));
    if (!isRule)
      throw mistake(`"${rule}" is no rule: expected "90d", "delay=400d" or "delay=forever", of at least an hour.`);
    if (endpoint === undefined ? micros !== undefined : Object.hasOwn(byEndpoint, endpoint)) {
      throw mistake(`"${rule}" says again what stands before it.`);
    }
    if (endpoint === undefined) micros = kept;
    else byEndpoint[endpoint] = kept;
  }
  return { micros: micros ?? Infinity, byEndpoint };
}

function keptMicros(text: string): Micros | undefined {
  if (text === FOREVER) return Infinity;
  const micros = parseDuration(text);
  return micros !== undefined && micros >= MICROS_PER_HOUR ? micros : undefined;
}

/** `endpoint` is undefined for what is of any. */
export function keepOf({ micros, byEndpoint }: KeepRules, endpoint: string | undefined): Micros {
  if (endpoint === undefined) return Math.max(micros, ...Object.values(byEndpoint));
  return Object.hasOwn(byEndpoint, endpoint) ? (byEndpoint[endpoint] as Micros) : micros;
}

const mistake = (message: string): HeadraceError => new HeadraceError('HR_CONFIG', `predictionLog.keep: ${message}`);

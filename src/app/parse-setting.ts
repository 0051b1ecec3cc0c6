// One setting's value as the user wrote it (in the file or the environment) → as the code trusts it.

import { resolve } from 'node:path';
import { describe, formatDuration, parseDuration } from '../core/index.ts';
import { type ExecutorSpec, readExecutor } from '../definitions/index.ts';
import { isCron, isTimeZone } from '../definitions/index.ts';
import { parseProviders, type ProvidersByModel } from './parse-providers.ts';
import type { Setting } from './settings/setting.ts';

export type ParsedSetting =
  | {
      readonly value:
        | string
        | number
        | boolean
        | Readonly<Record<string, number>>
        | Exclude<ExecutorSpec, string>
        | ProvidersByModel;
    }
  | { readonly expected: string };

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Reads a value; relative paths (in urls too) start at `directory`. `raw` is text when it came from the environment. */
export function parseSetting(setting: Setting, raw: unknown, directory: string): ParsedSetting {
  switch (setting.kind) {
    case 'integer': {
      const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
      const [min, max] = [setting.min ?? 0, setting.max ?? Number.MAX_SAFE_INTEGER];
      const isGood = typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
      return isGood ? { value } : { expected: `a whole number from ${min} to ${max}` };
    }
    case 'ratio': {
      const value = typeof raw === 'string' && /^\d*\.?\d+$/.test(raw) ? Number(raw) : raw;
      const isGood = typeof value === 'number' && value >= 0 && value <= 1;
      return isGood ? { value } : { expected: 'a number from 0 to 1' };
    }
    case 'boolean': {
      const value = raw === 'true' || raw === '1' ? true : raw === 'false' || raw === '0' ? false : raw;
      return typeof value === 'boolean' ? { value } : { expected: 'true or false' };
    }
    case 'size': {
      const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?I?B)?$/i.exec(String(raw).trim());
      const unit = SIZE_UNITS[(match?.[2] ?? '').toUpperCase()];
      if ((typeof raw !== 'string' && typeof raw !== 'number') || match === null || unit === undefined) {
        return { expected: 'a size such as "4GB" or "512MiB"' };
      }
      return { value: Math.floor(Number(match[1]) * unit) };
    }
    case 'duration': {
      const micros = isText(raw) ? parseDuration(raw) : undefined;
      const isGood = micros !== undefined && micros >= (setting.min ?? 0);
      const least = setting.min === undefined ? '' : `, at least ${formatDuration(setting.min)}`;
      return isGood ? { value: micros } : { expected: `a duration such as "1d" or "90m"${least}` };
    }
    case 'choice': {
      const choices = setting.choices ?? [];
      return isText(raw) && choices.includes(raw)
        ? { value: raw }
        : { expected: choices.map((choice) => `"${choice}"`).join(' or ') };
    }
    case 'executor': {
      const mistakes: string[] = [];
      const value = readExecutor(jsonOf(raw), (message) => mistakes.push(message));
      const [mistake] = mistakes;
      return value !== undefined && mistake === undefined
        ? { value }
        : {
            expected: `"local", "fleet", { kind: "kubernetes", namespace, image, pack?, template? } or { kind: "aws-batch", queue, definition, pack? }${mistake === undefined || value === undefined ? '' : ` (${mistake})`}`,
          };
    }
    case 'providers':
      return parseProviders(jsonOf(raw));
    case 'cron':
      return isCron(raw) ? { value: String(raw) } : { expected: 'a cron expression such as "0 3 * * *"' };
    case 'timezone':
      return isTimeZone(raw) ? { value: String(raw) } : { expected: 'an IANA time zone such as "Europe/Berlin"' };
    case 'path':
      return isText(raw) ? { value: resolve(directory, raw) } : { expected: 'a path' };
    case 'url':
      return isText(raw)
        ? parseUrl(setting.schemes ?? [], raw, directory)
        : { expected: expectedUrl(setting.schemes ?? []) };
    case 'rules':
      return isText(raw) || typeof raw === 'number' ? { value: String(raw) } : { expected: 'a text or a number' };
    case 'counts': {
      const value = isText(raw) ? countsOfText(raw) : raw;
      return isCounts(value)
        ? { value }
        : { expected: 'names with whole numbers from 1 to 1000000, such as { warehouse: 4 }, or "warehouse=4,gpu=2"' };
    }
    case 'text':
      return isText(raw) ? { value: raw } : { expected: 'a text' };
  }
}

/** What came, for the error; a url's value may hold a password, so only its scheme is told, and only where it is one. */
export function describeSetting(setting: Setting, raw: unknown): string {
  if (setting.kind !== 'url' || typeof raw !== 'string') return describe(raw);
  const scheme = /^[a-z][a-z0-9+.-]*:(?=\/\/)/i.exec(raw)?.[0];
  return scheme === undefined ? 'a text that is none' : `a url that starts with "${scheme}"`;
}

function countsOfText(raw: string): unknown {
  const parts = raw.split(',').map((part) => /^\s*([^=\s]+)\s*=\s*(\d+)\s*$/.exec(part));
  const named = parts.map((part) => [part?.[1] ?? '', Number(part?.[2])] as const);
  return new Set(named.map(([name]) => name)).size === named.length ? Object.fromEntries(named) : raw;
}

function isCounts(value: unknown): value is Readonly<Record<string, number>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  return Object.entries(value).every(
    ([name, count]) =>
      /^[A-Za-z][A-Za-z0-9_-]*$/.test(name) && Number.isSafeInteger(count) && count >= 1 && count <= 1_000_000,
  );
}

/** A variable holds an object as JSON; any other text is what it says. */
function jsonOf(raw: unknown): unknown {
  if (typeof raw !== 'string' || !raw.trimStart().startsWith('{')) return raw;
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

function isText(raw: unknown): raw is string {
  return typeof raw === 'string' && raw.trim() !== '';
}

// sqlite:, lmdb: and file: hold a path; the others go through as they are.
function parseUrl(schemes: readonly string[], raw: string, directory: string): ParsedSetting {
  const scheme = /^([a-z0-9+]+):/i.exec(raw)?.[1];
  if (scheme === undefined || !schemes.includes(scheme)) return { expected: expectedUrl(schemes) };
  if (scheme !== 'sqlite' && scheme !== 'lmdb' && scheme !== 'file') return { value: raw };
  const path = raw.slice(scheme.length + 1).replace(/^\/\/(?=\/)/, '');
  if (path === ':memory:') return { value: raw };
  return path === '' ? { expected: `${scheme}:PATH` } : { value: `${scheme}:${resolve(directory, path)}` };
}

function expectedUrl(schemes: readonly string[]): string {
  return `a url that starts with ${schemes.map((scheme) => `"${scheme}:"`).join(', ')}`;
}

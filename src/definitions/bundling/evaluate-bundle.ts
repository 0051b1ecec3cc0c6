// Runs a bundle: gives the function that it holds.

import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import { HeadraceError, messageOf } from '../../core/index.ts';
import { isTaskId, titleOf } from '../function-id.ts';
import type { UserFunction } from '../manifest.ts';
import { findFunctions } from './find-functions.ts';
import { FINDER, isPureBuiltin, PARAMETERS, PURE_OF_CRYPTO, SHADOWED } from './pure-code.ts';

const require = createRequire(import.meta.url);
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/**
 * The function of a bundle; undefined when it holds none. `id` names it in stack traces, and says what it may use: a pure
 * function finds neither clocks nor networks. Throws HR_DEFINITION when the bundle's own top level throws.
 */
export function evaluateBundle(id: string, code: string): UserFunction | undefined {
  const isTask = isTaskId(id);
  const module: { exports: unknown } = { exports: {} };
  try {
    const run = compileFunction(code, isTask ? [...PARAMETERS] : [...PARAMETERS, ...SHADOWED], {
      filename: `headrace:${id}`,
    }) as (...given: unknown[]) => void;
    run(module, module.exports, (name: string) => required(name, isTask));
  } catch (cause) {
    throw new HeadraceError(
      'HR_DEFINITION',
      `the code of ${titleOf(id)} threw while it was loaded: ${messageOf(cause)}. What it does at its module's top level must work wherever it runs.`,
      { cause },
    );
  }
  // It is called where its arguments are known.
  return typeof module.exports === 'function' ? (module.exports as UserFunction) : undefined;
}

function required(name: string, isTask: boolean): unknown {
  if (name === FINDER) return findFunction;
  // The authoring API, for functions that are found through the objects that hold them.
  if (name === 'headrace') return require(`../../index.${EXTENSION}`);
  const builtin = name.startsWith('node:') ? name : `node:${name}`;
  if (isTask || isPureBuiltin(builtin, '*')) return require(builtin);
  if (builtin === 'node:crypto') return pureCrypto();
  throw new Error(`${name} is not there for a pure function`);
}

function pureCrypto(): Record<string, unknown> {
  const crypto = require('node:crypto') as Record<string, unknown>;
  return Object.fromEntries([...PURE_OF_CRYPTO].map((name) => [name, crypto[name]]));
}

function findFunction(object: unknown, id: string): UserFunction | undefined {
  for (const found of findFunctions([object])) if (found.id === id) return found.fn;
  return undefined;
}

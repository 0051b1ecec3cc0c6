// The module that `headrace types` writes: a value, which a client turns answers by, whose type says the same.

import type { Api } from '../client/index.ts';

export type ModuleForm = 'ts' | 'js';

/** Ends with a line's end. The same API gives the same text. */
export function writeApiModule(api: Api, form: ModuleForm): string {
  const value = write(api, '');
  const head = '// Written by `headrace types`, which writes it anew: do not edit it.\n\n';
  return form === 'ts'
    ? `${head}export const api = ${value} as const;\n`
    : `${head}export const api = /** @type {const} */ (${value});\n`;
}

function write(value: unknown, indent: string): string {
  if (value === null || typeof value !== 'object') return quote(String(value));
  const members = Object.entries(value);
  if (members.length === 0) return '{}';
  const inner = `${indent}  `;
  const lines = members.map(([name, member]) => `${inner}${key(name)}: ${write(member, inner)},\n`);
  return `{\n${lines.join('')}${indent}}`;
}

const key = (name: string): string => {
  // As a plain member it would set the prototype.
  if (name === '__proto__') return "['__proto__']";
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name);
};

const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

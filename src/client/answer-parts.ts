// Parts of answers that several calls look for, and what is said where they are not there.

import { HeadraceClientError } from './client-error.ts';

/** Each int64 of the answer is text: JSON.parse would lose its digits. */
export const INT64_AS_TEXT = { 'x-int64': 'string' } as const;

/** The answer's array of that name; with a length where one was asked for. */
export function arrayIn(body: unknown, name: string, length?: number): readonly unknown[] {
  const value = objectIn(body)[name];
  if (!Array.isArray(value)) throw unexpected(`no array \`${name}\``);
  if (length !== undefined && value.length !== length) {
    throw unexpected(`${value.length} ${name} for ${length} rows`);
  }
  return value;
}

export function objectIn(body: unknown): Readonly<Record<string, unknown>> {
  if (body !== null && typeof body === 'object' && !Array.isArray(body)) {
    return body as Readonly<Record<string, unknown>>;
  }
  throw unexpected(`${body === null ? 'null' : Array.isArray(body) ? 'an array' : typeof body} for an object`);
}

export function unexpected(what: string): HeadraceClientError {
  return new HeadraceClientError(`the answer has ${what}. Is the server of the client's version?`, {
    code: 'HR_UNEXPECTED_ANSWER',
  });
}

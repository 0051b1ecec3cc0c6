// A question to a running server over HTTP, for what it alone knows: what it has counted.

import { type ErrorCode, ERRORS, HeadraceError, messageOf } from '../core/index.ts';
import { type CommandContext, type CommandOptions, textOption } from './command.ts';

export const SERVER_OPTION = [
  '--url <url>',
  'where the server listens (default: by server.host and server.port)',
] as const;

/** For the help of a command that asks. */
export const SERVER_NOTES = 'Where the server takes keys, HEADRACE_KEY holds one with the role `read`.';

const LIMIT_MS = 10_000;

/** The JSON of its answer. Throws what the server says, and HR_SERVER_UNREACHABLE. */
export async function askServer(context: CommandContext, options: CommandOptions, path: string): Promise<unknown> {
  const base = textOption(options, 'url') ?? (await ownUrl(context));
  const key = context.environment.variables['HEADRACE_KEY'];
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  let answer: { readonly ok: boolean; readonly status: number; readonly body: unknown };
  try {
    const response = await fetch(`${base.replace(/\/+$/, '')}${path}`, {
      headers,
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    answer = { ok: response.ok, status: response.status, body: await response.json() };
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    throw new HeadraceError(
      'HR_SERVER_UNREACHABLE',
      `no server of Headrace answered at ${base}: ${messageOf(cause)}. Start one with \`headrace serve\`, or say where it is with --url.`,
      { cause: thrown },
    );
  }
  if (answer.ok) return answer.body;
  // RFC 9457, as the server writes it.
  const { code, detail } = answer.body as { readonly code?: unknown; readonly detail?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'HR_INTERNAL';
  throw new HeadraceError(known, typeof detail === 'string' ? detail : `${base} answered ${answer.status}.`);
}

async function ownUrl(context: CommandContext): Promise<string> {
  const { values } = (await context.app('read')).config;
  const host = values['server.host'];
  const isAny = host === '0.0.0.0' || host === '::';
  const shown = isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `${values['server.tls.cert'] === undefined ? 'http' : 'https'}://${shown}:${values['server.port']}`;
}

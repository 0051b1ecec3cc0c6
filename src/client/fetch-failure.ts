// Why a fetch failed, as far as the platforms tell: whether the request can have reached a server. Node and Bun say it by
// codes, Deno in words; a browser says nothing, so there it may have.

const NO_CONNECTION: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  // Bun's.
  'ConnectionRefused',
  'FailedToOpenSocket',
]);

/** How deep causes are looked into. */
const MOST_CAUSES = 5;

/** Whether it is certain that the request did not leave. */
export function isUnsent(thrown: unknown): boolean {
  let error = thrown;
  for (let depth = 0; depth < MOST_CAUSES && isObject(error); depth++) {
    const { code, message } = error;
    if (typeof code === 'string' && NO_CONNECTION.has(code)) return true;
    // Deno's: `error sending request for url (…): client error (Connect): tcp connect error: …`.
    if (typeof message === 'string' && message.includes('client error (Connect)')) return true;
    error = error['cause'];
  }
  return false;
}

/** What it says, with its cause, which tells more in Node. */
export function reasonOf(thrown: unknown): string {
  const cause = isObject(thrown) ? thrown['cause'] : undefined;
  for (const one of [cause, thrown]) {
    if (!isObject(one)) continue;
    const { message, code } = one;
    if (typeof message === 'string' && message !== '') return message;
    if (typeof code === 'string') return code;
  }
  return String(thrown);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object';
}

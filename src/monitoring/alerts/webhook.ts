// One event to a webhook: a POST of JSON with the event's id, by which a repeat is known.

export interface Webhook {
  readonly url: string;
  /** Sent as `Authorization: Bearer …`; never told. */
  readonly secret: string | undefined;
}

const LIMIT_MS = 10_000;

/** Throws with the status, or why there was none; never with the URL, which may hold a secret. */
export function webhookSender({ url, secret }: Webhook) {
  return async ({ id, body }: { readonly id: string; readonly body: string }, signal: AbortSignal): Promise<void> => {
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': id,
      'user-agent': 'headrace',
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
    };
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      // Elsewhere nobody is to learn the secret.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
    }).catch(reasonOf);
    if (typeof response === 'string') throw new Error(response);
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
  };
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return `the webhook said nothing for ${LIMIT_MS} ms`;
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return `the webhook can not be reached${code}`;
}

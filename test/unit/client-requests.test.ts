// What the client sends, how often, and how its calls end; the network is a function.

import { describe, expect, it } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/index.ts';

const ROW = { customer: 'ada', amount: 7.5 };
const LOST = Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNRESET' } });

/** A client whose requests are answered so, one after the other; the last answer is given to all that follow. */
function asked(answers: readonly (Response | Error | 'silence')[], options: Partial<ClientOptions> = {}) {
  const sent: Headers[] = [];
  const client = createClient({
    url: 'http://shop.example',
    fetch: (_url, init) => {
      const answer = answers[Math.min(sent.length, answers.length - 1)] as Response | Error | 'silence';
      sent.push(new Headers(init?.headers));
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer !== 'silence') return Promise.resolve(answer.clone());
      return new Promise((_, reject) => {
        const end = (): void => reject(init?.signal?.reason as Error);
        if (init?.signal?.aborted === true) end();
        else init?.signal?.addEventListener('abort', end);
      });
    },
    ...options,
  });
  return { client, sent };
}

const status = (code: number, headers: Record<string, string> = {}): Response =>
  new Response('{}', { status: code, headers });

describe('a request whose answer was lost', () => {
  it.each<[string, number, (client: Client) => Promise<unknown>]>([
    ['a prediction', 1, (client) => client.predict('checkout', ROW)],
    ['many predictions', 1, (client) => client.predictMany('checkout', [ROW])],
    ['predictions that stand alone', 1, (client) => client.predictPartial('checkout', [ROW])],
    ['a prediction that may be repeated', 2, (client) => client.predict('checkout', ROW, { mayRepeat: true })],
    ['a read', 2, (client) => client.readFeatures('numbers', ROW)],
    ['many reads', 2, (client) => client.readMany('numbers', [ROW])],
    ['a read by column', 2, (client) => client.readColumns('numbers', [ROW])],
    ['a push', 2, (client) => client.push('purchases', [ROW])],
    ['outcomes', 2, (client) => client.tellOutcomes('checkout', [{ predictionId: 'p', value: true }])],
    ['a flag', 2, (client) => client.flag('checkout', {})],
    ['all flags', 2, (client) => client.flags({})],
    ['the state of an endpoint', 2, (client) => client.endpoint('checkout')],
    ['health', 2, (client) => client.health()],
  ])('of %s is sent %i times', async (_what, times, call) => {
    const { client, sent } = asked([LOST], { retries: 1 });
    await expect(call(client)).rejects.toMatchObject({ code: 'HR_CONNECTION_LOST', attempts: times });
    expect(sent).toHaveLength(times);
  });

  it('of a push is sent again under the same key, and another push under another', async () => {
    const { client, sent } = asked([LOST, new Response('{"accepted":1}')]);
    await client.push('purchases', [ROW]);
    await client.push('purchases', [ROW]);
    const keys = sent.map((headers) => headers.get('idempotency-key'));
    expect(keys).toEqual([keys[0], keys[0], keys[2]]);
    expect(keys[0]).not.toBe(keys[2]);
  });
});

describe('a call', () => {
  it('does not wait for what comes after its deadline', async () => {
    const { client, sent } = asked([status(503, { 'retry-after': '60' })]);
    const told = { code: 'HR_UNEXPECTED_ANSWER', status: 503, retryAfterMs: 60_000, attempts: 1 };
    await expect(client.predict('checkout', ROW, { timeoutMs: 5000 })).rejects.toMatchObject(told);
    expect(sent).toHaveLength(1);
  });

  it.each(['predict', 'readFeatures'] as const)('of %s ends at its deadline where nothing answers', async (method) => {
    const { client, sent } = asked(['silence']);
    const options = { timeoutMs: 20 };
    const call =
      method === 'predict' ? client.predict('checkout', ROW, options) : client.readFeatures('numbers', ROW, options);
    await expect(call).rejects.toMatchObject({ code: 'HR_TIMEOUT', attempts: 1 });
    expect(sent).toHaveLength(1);
  });

  it('ends with the reason of the caller’s signal, while it waits for an answer and between tries', async () => {
    const reason = new Error('the page was left');
    for (const answer of ['silence', status(429, { 'retry-after': '20' })] as const) {
      const caller = new AbortController();
      const { client, sent } = asked([answer]);
      const read = client.readFeatures('numbers', ROW, { signal: caller.signal });
      await expect.poll(() => sent.length).toBe(1);
      caller.abort(reason);
      await expect(read).rejects.toBe(reason);
    }
    const { client, sent } = asked(['silence']);
    await expect(client.predict('checkout', ROW, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(sent.length).toBeLessThanOrEqual(1);
  });

  it('ends at its deadline, and by the caller, also while a key is awaited; then nothing is sent', async () => {
    const waiting = asked(['silence'], { key: () => new Promise(() => {}) });
    const late = waiting.client.predict('checkout', ROW, { timeoutMs: 20 });
    await expect(late).rejects.toMatchObject({ code: 'HR_TIMEOUT', attempts: 0 });
    const caller = new AbortController();
    const predicted = waiting.client.predict('checkout', ROW, { signal: caller.signal });
    caller.abort('left');
    await expect(predicted).rejects.toBe('left');
    const none = asked(['silence'], { key: () => Promise.reject(new Error('the vault is closed')) });
    await expect(none.client.health()).rejects.toThrow('the vault is closed');
    expect([waiting.sent, none.sent]).toEqual([[], []]);
  });

  it('asks for a key at each try', async () => {
    let keys = 0;
    const { client, sent } = asked([LOST, status(200)], { key: () => `hr_key_${keys++}` });
    await client.readFeatures('numbers', ROW).catch(() => {});
    expect(sent.map((headers) => headers.get('authorization'))).toEqual(['Bearer hr_key_0', 'Bearer hr_key_1']);
  });

  it.each<[string, Partial<ClientOptions>, string | undefined]>([
    ['a request id of two lines', {}, 'a\nb'],
    ['a header of two lines', { headers: { 'x-api-key': 'hr_x_secret\n1' } }, undefined],
    ['a key of two lines', { key: 'hr_x_secret\n' }, undefined],
  ])('sends no header that HTTP does not take, and shows no secret of it: %s', async (_what, options, requestId) => {
    const { client, sent } = asked([status(200)], options);
    const error: unknown = await client.predict('checkout', ROW, { requestId }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HR_INVALID' });
    expect(String((error as Error).stack)).not.toContain('secret');
    expect(sent).toEqual([]);
  });

  it.each<[string, string, Error]>([
    ['broke', 'HR_CONNECTION_LOST', LOST],
    [
      'was refused',
      'HR_UNREACHABLE',
      Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } }),
    ],
  ])('keeps as its cause what fetch threw where the connection %s', async (_what, code, thrown) => {
    const { client } = asked([thrown], { retries: 0 });
    const error: unknown = await client.predict('checkout', ROW).catch((rejected: unknown) => rejected);
    expect(error).toMatchObject({ code });
    expect((error as Error).cause).toBe(thrown);
  });

  it('takes 503 as an answer where it asks whether the server is ready, and no other failure', async () => {
    const { client, sent } = asked([status(503), status(500)]);
    await expect(client.health()).resolves.toEqual({ isReady: false, told: {} });
    await expect(client.health()).rejects.toMatchObject({ status: 500 });
    expect(sent).toHaveLength(2);
  });

  it('says what is no server of Headrace', async () => {
    const moved = asked([status(302, { location: 'http://elsewhere.example' })]);
    const told = { code: 'HR_UNEXPECTED_ANSWER', status: 302 };
    await expect(moved.client.predict('checkout', ROW)).rejects.toMatchObject(told);
    const other = asked([new Response('')]);
    const said = 'answered 200 with what no Headrace server says';
    await expect(other.client.predict('checkout', ROW)).rejects.toThrow(said);
    expect([moved.sent, other.sent].map(({ length }) => length)).toEqual([1, 1]);
  });
});

describe('what a server says', () => {
  const answering = (body: unknown) => {
    const sent: unknown[] = [];
    const client = createClient({
      url: 'http://shop.example',
      fetch: async (_url, init) => {
        sent.push(JSON.parse(String(init?.body)));
        return new Response(JSON.stringify(body));
      },
    });
    return { client, sent };
  };
  const one = { prediction_id: 'p', outputs: { y: 1 }, model: 'm', version: 1, variant: 'stable' };
  const failed = { error: { code: 'HR_NULL_FEATURE', detail: 'x' } };

  it('is asked for no more than the caller wants', async () => {
    const { client, sent } = answering({ predictions: [failed] });
    await client.predictPartial('checkout', [ROW], { features: true });
    await client.predictMany('checkout', [ROW], { features: true });
    await client.predictMany('checkout', [ROW], { features: false });
    const inputs = [ROW];
    expect(sent).toEqual([
      { inputs, options: { return_features: true, partial: true } },
      { inputs, options: { return_features: true } },
      { inputs },
    ]);
  });

  it('of each row is a prediction with its id, or an error, and one of each', async () => {
    const { client } = answering({ predictions: [one, failed] });
    const told = await client.predictPartial('checkout', [ROW, ROW]);
    expect(told).toMatchObject([{ predictionId: 'p', outputs: { y: 1 } }, failed]);
    for (const predictions of [[{ ...one, prediction_id: 7 }], [], [one, one], undefined]) {
      const predicted = answering({ predictions }).client.predict('checkout', ROW);
      await expect(predicted).rejects.toMatchObject({ code: 'HR_UNEXPECTED_ANSWER' });
    }
  });

  it('of a push or of outcomes is how many were taken', async () => {
    expect(await answering({ accepted: 2 }).client.push('purchases', [ROW])).toMatchObject({ accepted: 2 });
    expect(await answering({ accepted: 2 }).client.tellOutcomes('checkout', [])).toBe(2);
    for (const body of [{}, { accepted: '2' }]) {
      const { client } = answering(body);
      await expect(client.push('purchases', [ROW])).rejects.toThrow(/accepted/);
      await expect(client.tellOutcomes('checkout', [])).rejects.toThrow(/accepted/);
    }
  });
});

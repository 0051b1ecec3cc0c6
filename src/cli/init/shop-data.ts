// The example's data: four months of a shop's purchases that end about now, with a pattern that a model can learn. The same
// each time but for when it ends.

const DAY_MS = 86_400_000;
const DAYS = 120;
/** The longest window: earlier purchases are history alone. */
const WINDOW_DAYS = 30;
/** So long a customer may send a purchase back; of younger ones nobody knows yet. */
const RETURN_DAYS = 14;
/** What happened since is in no file yet. */
const FILE_LAG_MS = DAY_MS / 12;
const NAMES = ['ada', 'bob', 'cleo', 'dan', 'eve', 'finn', 'gita', 'hugo', 'iris', 'jon'];
const CUSTOMERS = 150;

export interface ShopData {
  /** The source: every purchase up to two hours ago. */
  readonly purchases: string;
  /** The spine: those of which it is known whether they came back. */
  readonly baskets: string;
  /** Three purchases since. */
  readonly events: string;
}

interface Purchase {
  readonly customer: string;
  readonly amount: number;
  readonly discount: number;
  readonly atMs: number;
  readonly isReturned: boolean;
}

export function makeShopData(nowMs: number): ShopData {
  const endMs = nowMs - FILE_LAG_MS;
  const all = purchasesUntil(endMs);
  const learned = all.filter(
    ({ atMs }) => atMs >= endMs - (DAYS - WINDOW_DAYS) * DAY_MS && atMs <= endMs - RETURN_DAYS * DAY_MS,
  );
  return {
    purchases: table('customer,amount,discount,bought_at', all, toLine),
    baskets: table(
      'customer,amount,discount,bought_at,returned',
      learned,
      (one) => `${toLine(one)},${one.isReturned ? 1 : 0}`,
    ),
    events: [
      { customer: 'ada', amount: 24.5, minutes: 90 },
      { customer: 'bob', amount: 61, minutes: 60 },
      { customer: 'ada', amount: 148.9, minutes: 30 },
    ]
      .map(({ customer, amount, minutes }) =>
        JSON.stringify({ customer, amount, discount: 0, bought_at: timeText(nowMs - minutes * 60_000) }),
      )
      .join('\n')
      .concat('\n'),
  };
}

function table(head: string, rows: readonly Purchase[], line: (row: Purchase) => string): string {
  return `${[head, ...rows.map(line)].join('\n')}\n`;
}

function toLine({ customer, amount, discount, atMs }: Purchase): string {
  return `${customer},${amount},${discount},${timeText(atMs)}`;
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString();
}

function purchasesUntil(endMs: number): Purchase[] {
  const random = createRandom(20);
  const all: Purchase[] = [];
  for (let number = 1; number <= CUSTOMERS; number++) {
    const customer = NAMES[number - 1] ?? `customer-${number}`;
    // Those with a name come often, so that their windows hold something.
    const perDay = number <= NAMES.length ? 0.5 : 0.1 + 0.5 * random.even();
    const usual = 15 + 60 * random.even();
    for (let days = DAYS - random.gap(perDay); days > 0; days -= random.gap(perDay)) {
      const timesUsual = Math.exp(0.6 * random.normal());
      const discount = random.even() < 0.6 ? 0 : Math.ceil(8 * random.even()) / 20;
      // What there is to learn: large baskets and bargains come back, those of regular customers do less.
      const score = -1.3 + 1.8 * Math.log(timesUsual) + 5 * discount - 0.08 * WINDOW_DAYS * perDay;
      const isReturned = random.even() < 1 / (1 + Math.exp(-score));
      const amount = Math.round(usual * timesUsual * 100) / 100;
      all.push({ customer, amount, discount, atMs: Math.floor(endMs - days * DAY_MS), isReturned });
    }
  }
  return all.sort((a, b) => a.atMs - b.atMs);
}

/** Mulberry32, by Tommy Ettinger: 32 bits of state, the same sequence everywhere. */
function createRandom(seed: number) {
  let state = seed;
  const even = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    /** From 0 up to, not including, 1. */
    even,
    /** Days between two events that come at a rate. */
    gap: (perDay: number) => -Math.log(1 - even()) / perDay,
    /** By Box and Muller. */
    normal: () => Math.sqrt(-2 * Math.log(1 - even())) * Math.cos(2 * Math.PI * even()),
  };
}

// What the two arms' requests say, counted by who asked: the same test as a rollout's, by its formula alone, so that its clock
// does not start with the server's own.

const MINUTE_MS = 60_000;
const BETS = [1.25, 1.5, 2, 3, 5, 10, 30, 100, 300] as const;

export interface FirstEvents {
  /** A unit asked, and was answered, at `atMs`; `isEvent`: by what is guarded against. Only its first such answer counts. */
  add(answer: {
    readonly atMs: number;
    readonly unit: string;
    readonly isCandidate: boolean;
    readonly isEvent: boolean;
  }): void;
  /** `mean_θ Π e^{θ·k_c} / (1 − w + w·e^θ)^k` over minutes: k first events, k_c at the candidate, w its share of units. */
  evidence(): number;
}

/** `tolerance`: .2 where the candidate may have 20 % more. */
export function countFirstEvents(tolerance: number): FirstEvents {
  const had = new Set<string>();
  const minutes = new Map<number, { k: number; kc: number; units: Set<string>; atCandidate: Set<string> }>();
  return {
    add({ atMs, unit, isCandidate, isEvent }) {
      const at = Math.floor(atMs / MINUTE_MS);
      let minute = minutes.get(at);
      if (minute === undefined) minutes.set(at, (minute = { k: 0, kc: 0, units: new Set(), atCandidate: new Set() }));
      minute.units.add(unit);
      if (isCandidate) minute.atCandidate.add(unit);
      if (!isEvent || had.has(unit)) return;
      had.add(unit);
      minute.k++;
      if (isCandidate) minute.kc++;
    },
    evidence() {
      let sum = 0;
      for (const bet of BETS) {
        let product = 1;
        for (const { k, kc, units, atCandidate } of minutes.values()) {
          const share = atCandidate.size / units.size;
          const allowed = (share * (1 + tolerance)) / (1 - share + share * (1 + tolerance));
          product *= bet ** kc / (1 - allowed + allowed * bet) ** k;
        }
        sum += product;
      }
      return sum / BETS.length;
    },
  };
}

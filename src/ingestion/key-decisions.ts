// Whether a keyed entry counts: it does where it holds its key, and the store keeps that safely. One whose claim the store
// took and cannot keep is void, and its claim is given up, so that the same push can come again.

import { HeadraceError } from '../core/index.ts';
import type { LogEntry } from '../events/index.ts';
import { type Claim, type ClaimPlace, holdsClaim, NotDurable, type StoreWriter } from '../online/index.ts';
import { type ClaimDesk, type GrantedClaim, inTurn } from './claim-desk.ts';
import { endedWithin } from './ended-within.ts';
import { heldBy, type OpenCut } from './open-cut.ts';

export interface KeyDecisions {
  /**
   * Gives who holds the key; an entry that does not is void from then on. Throws HR_ONLINE_UNAVAILABLE where the store does
   * not keep the claim safely: then the entry is void, and nobody holds the key by it. `decided` hears whether it counts.
   */
  decide(claim: Claim, entry: LogEntry, own: OpenCut, decided: (counts: boolean) => void): Promise<GrantedClaim>;
  /**
   * Gives up again the wanted ones of the claims that were given up: a node that failed over may have lost that, and would
   * keep a key for an entry that counts nowhere.
   */
  releaseAgain(isWanted: (id: string) => boolean): Promise<void>;
}

/** How long the answer to a push whose claim was given up waits for the store to know that. */
const RELEASE_LIMIT_MS = 1000;
/** So many are remembered; of an older one nothing is lost but the use of its key. */
const MOST_RELEASED = 100_000;

export function createKeyDecisions(
  store: Pick<StoreWriter, 'release'>,
  desk: Pick<ClaimDesk, 'claim' | 'release'>,
): KeyDecisions {
  const released = new Map<string, ClaimPlace>();

  const remember = ({ id, writer, offset }: Claim): void => {
    released.set(`${id} ${offset}`, { id, writer, offset });
    const [oldest] = released.keys();
    if (released.size > MOST_RELEASED && oldest !== undefined) released.delete(oldest);
  };

  const giveUp = async (claim: Claim, own: OpenCut, why: NotDurable): Promise<HeadraceError> => {
    own.makeVoid(claim.offset);
    remember(claim);
    // The cut is not sealed before: then nobody could tell any more that the entry which holds the key is void.
    const leave = own.enter();
    await endedWithin(desk.release(claim).then(leave), RELEASE_LIMIT_MS);
    const sentence = `${why.message}. Nothing of the push counts; send it again with its Idempotency-Key.`;
    return new HeadraceError('HR_ONLINE_UNAVAILABLE', sentence, { cause: why });
  };

  return {
    async decide(claim, entry, own, decided) {
      let granted: GrantedClaim;
      try {
        granted = await desk.claim(claim);
      } catch (error) {
        decided(false);
        throw error instanceof NotDurable ? await giveUp(claim, own, error) : error;
      }
      const isOwn = holdsClaim(entry, granted.holding);
      decided(isOwn);
      if (isOwn) own.claims.set(claim.id, heldBy(entry, false));
      else own.makeVoid(entry.offset);
      return granted;
    },
    releaseAgain: (isWanted) =>
      inTurn(
        [...released.values()].filter(({ id }) => isWanted(id)),
        (some) => store.release(some),
      ),
  };
}

// A session that is opened, run once, measured, and whose nodes were seen to run where they should.

import { type Measured, measureModel } from './measure-model.ts';
import { type NodesByProvider, openProfile, proveProviders } from './node-providers.ts';
import { openSession, type OrtSession } from './ort-session.ts';

export interface MeasuredSession {
  readonly session: OrtSession;
  readonly measured: Measured;
  /** Undefined where nothing was seen, and all may be. */
  readonly nodesByProvider: NodesByProvider | undefined;
}

export interface Placing {
  readonly providers: readonly string[];
  /** See `proveProviders`. */
  readonly providerShare: number;
}

/** A file in this thread, for one that has nothing else to do. Throws as `openSession`, `measureModel` and `proveProviders`. */
export function openMeasuredFile(
  onnx: Uint8Array,
  {
    providers,
    providerShare = 1,
  }: { readonly providers: readonly string[]; readonly providerShare?: number | undefined },
): MeasuredSession {
  return openMeasured({ providers, providerShare }, (profile) => openSession(onnx, providers, 1, profile));
}

/** `open` opens the session with a profile, which has ended before anything is measured. Throws as it, `measureModel` and `proveProviders`. */
export function openMeasured(
  { providers, providerShare }: Placing,
  open: (profilePrefix: string | undefined) => OrtSession,
): MeasuredSession {
  const profile = openProfile();
  try {
    const session = open(profile?.prefix);
    try {
      let isProfiled = profile !== undefined;
      const endProfile = (): void => {
        if (isProfiled) session.endProfiling();
        isProfiled = false;
      };
      const measured = measureModel(session, {
        ranOnce: endProfile,
        isOnDevice: providers.some((provider) => provider !== 'cpu'),
      });
      endProfile();
      const nodes = measured.isMeasured ? profile?.read() : undefined;
      return { session, measured, nodesByProvider: proveProviders(nodes, providers, providerShare) };
    } catch (thrown) {
      session.release();
      throw thrown;
    }
  } finally {
    profile?.discard();
  }
}

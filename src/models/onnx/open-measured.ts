// A session that is opened, run once, measured, and whose nodes were seen to run where they should.

import type { KnownRows } from '../../core/index.ts';
import { type Measured, measureModel } from './measure-model.ts';
import { type NodesByProvider, openProfile, proveProviders } from './node-providers.ts';
import { openSession, type OrtSession } from './ort-session.ts';

export interface MeasuredSession {
  readonly session: OrtSession;
  readonly measured: Measured;
  /** Undefined where nothing was seen, and all may be. */
  readonly nodesByProvider: NodesByProvider | undefined;
}

export interface Opening {
  readonly providers: readonly string[];
  /** See `proveProviders`. */
  readonly providerShare: number;
  /** What is known of the model's rows beforehand. */
  readonly rows?: KnownRows | undefined;
}

/** A file in this thread, for one that has nothing else to do. Throws as `openSession`, `measureModel` and `proveProviders`. */
export function openMeasuredFile(
  onnx: Uint8Array,
  {
    providers,
    providerShare = 1,
    rows,
  }: Omit<Opening, 'providerShare'> & { readonly providerShare?: number | undefined },
): MeasuredSession {
  return openMeasured({ providers, providerShare, rows }, (profile) => openSession(onnx, providers, 1, profile));
}

/** `open` opens the session with a profile, which has ended before anything is measured. Throws as it, `measureModel` and `proveProviders`. */
export function openMeasured(
  { providers, providerShare, rows }: Opening,
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
        isOnDevice: isOnDevice(providers),
        known: rows,
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

/** On more than the CPU. */
export function isOnDevice(providers: readonly string[]): boolean {
  return providers.some((provider) => provider !== 'cpu');
}

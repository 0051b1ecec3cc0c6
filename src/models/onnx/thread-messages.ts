// What the thread that serves and a model's thread say to each other. Every order gets one reply, in order.

import type { ErrorCode, KnownRows, RowsVerdict } from '../../core/index.ts';
import type { Signature, Tensor } from '../tensor.ts';
import type { BatchMode } from '../queue/model-queue.ts';
import type { NodesByProvider } from './node-providers.ts';
import type { RowShapes } from '../row-shapes.ts';

export type ThreadOrder =
  /** Opens a session; a thread has one at a time. Bytes that are not shared are given away. */
  | {
      readonly kind: 'open';
      readonly onnx: Uint8Array;
      readonly providers: readonly string[];
      readonly intraOpThreads: number;
      /** Whether to run and measure it, and to see where its nodes run. */
      readonly measures: boolean;
      /** See `proveProviders`. */
      readonly providerShare: number;
      readonly rows?: KnownRows | undefined;
      /** What the bytes must hash to. */
      readonly sha256?: string | undefined;
    }
  /** Whether the rows of these tensors, which are in the signature's order, depend on each other. */
  | { readonly kind: 'judge'; readonly tensors: readonly Tensor[]; readonly providers: readonly string[] }
  /** The bytes in shared memory, for more threads. */
  | { readonly kind: 'share' }
  /** Closes the session and gives the bytes back. */
  | { readonly kind: 'unload' }
  /** Runs `rows` of what the other side has written into slot 0 or 1. */
  | {
      readonly kind: 'run';
      readonly slot: 0 | 1;
      readonly rows: number;
      /** The slot's memory, when it is another than at the last run. */
      readonly memory?: SlotMemory | undefined;
      /** Texts of each input that has some. */
      readonly texts?: readonly (readonly string[] | null)[] | undefined;
    }
  /** Runs tensors as they are, in the signature's order. */
  | { readonly kind: 'whole'; readonly tensors: readonly Tensor[] }
  | { readonly kind: 'stop' };

export interface SlotMemory {
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly rowShapes: RowShapes;
}

export interface Opened {
  readonly signature: Signature;
  readonly mode: BatchMode;
  readonly rowsVerdict: RowsVerdict;
  readonly isMeasured: boolean;
  readonly fixedMicros: number;
  readonly rowMicros: number;
  readonly loadMicros: number;
  readonly nodesByProvider: NodesByProvider | undefined;
}

export type ThreadReply =
  | { readonly opened: Opened }
  | { readonly rowsVerdict: RowsVerdict }
  | { readonly onnx: Uint8Array }
  | { readonly outputs: readonly Tensor[] }
  | { readonly failure: string; readonly code: ErrorCode };

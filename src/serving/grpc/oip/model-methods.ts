// inference.GRPCInferenceService apart from inference: what there is, how it is, and what it has answered.

import { HeadraceError } from '../../../core/index.ts';
import { EXTENSIONS } from '../../http/oip/present.ts';
import { mayUse } from '../../http/security/gate.ts';
import type { InferencePlane, ModelFigures, ModelMetadata, Timed } from '../../oip/inference-plane.ts';
import type { DescribedTensor } from '../../oip/tensors.ts';
import type { Method } from '../transport/method.ts';
import { DELIMITED, VARINT, WireReader } from '../wire/wire-reader.ts';
import { writeMessage, type WireWriter } from '../wire/wire-writer.ts';

const NAMED = { name: 1, version: 2 } as const;
const IS_SO = 1;
const SERVER = { name: 1, version: 2, extensions: 3 } as const;
const METADATA = { name: 1, versions: 2, platform: 3, inputs: 4, outputs: 5 } as const;
const TENSOR = { name: 1, datatype: 2, shape: 3 } as const;
const CONFIG = { name: 1, platform: 2, inputs: 5, outputs: 6, backend: 17 } as const;
const CONFIG_INPUT = { name: 1, type: 2, dims: 4, optional: 8 } as const;
const CONFIG_OUTPUT = { name: 1, type: 2, dims: 3 } as const;
const STATISTICS = { name: 1, version: 2, lastInference: 3, inferences: 4, executions: 5, times: 6 } as const;
const TIMES = { success: 1, fail: 2, queue: 3, computeInfer: 5 } as const;
const DURATION = { count: 1, ns: 2 } as const;
const INDEX_REQUEST = { ready: 2 } as const;
const INDEX = { name: 1, version: 2, state: 3, reason: 4 } as const;
/** Each response holds one thing. */
const ONLY = 1;

const DATA_TYPES: Readonly<Record<DescribedTensor['datatype'], number>> = {
  BOOL: 1,
  UINT8: 2,
  UINT16: 3,
  UINT32: 4,
  UINT64: 5,
  INT8: 6,
  INT16: 7,
  INT32: 8,
  INT64: 9,
  FP16: 10,
  FP32: 11,
  FP64: 12,
  BYTES: 13,
};

export function modelMethods(plane: InferencePlane, version: string): Readonly<Record<string, Method>> {
  return {
    ServerLive: { kind: 'unary', role: 'open', answer: () => onlyIf(true) },
    ServerReady: { kind: 'unary', role: 'open', answer: () => onlyIf(plane.isReady()) },
    ServerMetadata: {
      kind: 'unary',
      role: 'known',
      answer(_, call) {
        call.permit();
        return writeMessage((out) => {
          out.text(SERVER.name, 'headrace');
          out.text(SERVER.version, version);
          for (const extension of EXTENSIONS) out.text(SERVER.extensions, extension);
        });
      },
    },
    ModelReady: ofModel('known', (asked) => onlyIf(isReady(plane, asked))),
    ModelMetadata: ofModel('known', ({ name, version: own }) => {
      const metadata = plane.metadata(name, own);
      return writeMessage((out) => writeMetadata(out, metadata));
    }),
    ModelConfig: ofModel('read', ({ name, version: own }) => {
      const metadata = plane.metadata(name, own);
      return writeMessage((out) => {
        const config = out.begin(ONLY);
        writeConfig(out, metadata);
        out.end(config);
      });
    }),
    ModelStatistics: {
      kind: 'unary',
      role: 'read',
      answer(message, call) {
        const asked = readNamed(message);
        const isAll = asked.name === '';
        call.permit(isAll ? undefined : asked.name);
        const seen = plane
          .statistics(isAll ? undefined : asked.name, asked.version)
          .filter(({ name }) => mayUse(call.actor, 'read', name));
        return writeMessage((out) => {
          for (const figures of seen) writeFigures(out, figures);
        });
      },
    },
    RepositoryIndex: {
      kind: 'unary',
      role: 'read',
      answer(message, call) {
        call.permit();
        const isReadyOnly = readsReady(message);
        return writeMessage((out) => {
          for (const { name, version: own, state, reason } of plane.index()) {
            if (!mayUse(call.actor, 'read', name) || (isReadyOnly && state !== 'READY')) continue;
            const model = out.begin(ONLY);
            out.text(INDEX.name, name);
            out.text(INDEX.version, own);
            out.text(INDEX.state, state);
            out.text(INDEX.reason, reason);
            out.end(model);
          }
        });
      },
    },
  };
}

/** What is asked of one model. */
function ofModel(role: 'known' | 'read', answer: (asked: Named) => Buffer): Method {
  return {
    kind: 'unary',
    role,
    answer(message, call) {
      const asked = readNamed(message);
      call.permit(asked.name);
      return answer(asked);
    },
  };
}

interface Named {
  readonly name: string;
  readonly version: string | undefined;
}

function readNamed(message: Buffer): Named {
  const reader = new WireReader(message);
  const texts = { name: '', version: '' };
  while (reader.next()) {
    if (reader.is(NAMED.name, DELIMITED)) texts.name = reader.text();
    else if (reader.is(NAMED.version, DELIMITED)) texts.version = reader.text();
    else reader.skip();
  }
  return { name: texts.name, version: texts.version === '' ? undefined : texts.version };
}

function readsReady(message: Buffer): boolean {
  const reader = new WireReader(message);
  let isReadyOnly = false;
  while (reader.next()) {
    if (reader.is(INDEX_REQUEST.ready, VARINT)) isReadyOnly = reader.bool();
    else reader.skip();
  }
  return isReadyOnly;
}

/** As Triton has it: what there is not is not ready. */
function isReady(plane: InferencePlane, { name, version }: Named): boolean {
  try {
    return plane.isModelReady(name, version);
  } catch (thrown) {
    if (thrown instanceof HeadraceError && thrown.code === 'HR_UNKNOWN_MODEL') return false;
    throw thrown;
  }
}

function onlyIf(isSo: boolean): Buffer {
  return writeMessage((out) => {
    if (isSo) out.bool(IS_SO, true);
  });
}

function writeMetadata(out: WireWriter, { name, versions, platform, inputs, outputs }: ModelMetadata): void {
  out.text(METADATA.name, name);
  for (const version of versions) out.text(METADATA.versions, version);
  out.text(METADATA.platform, platform);
  const tensors = (field: number, described: readonly DescribedTensor[]): void => {
    for (const { name: own, datatype, shape } of described) {
      const tensor = out.begin(field);
      out.text(TENSOR.name, own);
      out.text(TENSOR.datatype, datatype);
      writeSizes(out, TENSOR.shape, shape);
      out.end(tensor);
    }
  };
  tensors(METADATA.inputs, inputs);
  tensors(METADATA.outputs, outputs);
}

function writeConfig(out: WireWriter, { name, platform, inputs, outputs }: ModelMetadata): void {
  out.text(CONFIG.name, name);
  out.text(CONFIG.platform, platform);
  for (const { name: own, datatype, shape, isOptional } of inputs) {
    const input = out.begin(CONFIG.inputs);
    out.text(CONFIG_INPUT.name, own);
    out.int(CONFIG_INPUT.type, DATA_TYPES[datatype]);
    writeSizes(out, CONFIG_INPUT.dims, shape);
    if (isOptional === true) out.bool(CONFIG_INPUT.optional, true);
    out.end(input);
  }
  for (const { name: own, datatype, shape } of outputs) {
    const output = out.begin(CONFIG.outputs);
    out.text(CONFIG_OUTPUT.name, own);
    out.int(CONFIG_OUTPUT.type, DATA_TYPES[datatype]);
    writeSizes(out, CONFIG_OUTPUT.dims, shape);
    out.end(output);
  }
  out.text(CONFIG.backend, platform === 'onnxruntime_onnx' ? 'onnxruntime' : 'headrace');
}

function writeSizes(out: WireWriter, field: number, sizes: readonly number[]): void {
  if (sizes.length === 0) return;
  const packed = out.begin(field);
  for (const size of sizes) out.packedInt(size);
  out.end(packed);
}

function writeFigures(out: WireWriter, figures: ModelFigures): void {
  const model = out.begin(ONLY);
  out.text(STATISTICS.name, figures.name);
  out.text(STATISTICS.version, figures.version);
  out.int(STATISTICS.lastInference, Math.round(figures.lastMs));
  out.int(STATISTICS.inferences, figures.rows);
  out.int(STATISTICS.executions, figures.runs.count);
  const times = out.begin(STATISTICS.times);
  const duration = (field: number, { count, micros }: Timed): void => {
    const place = out.begin(field);
    out.int(DURATION.count, count);
    out.int(DURATION.ns, Math.round(micros * 1000));
    out.end(place);
  };
  duration(TIMES.success, figures.succeeded);
  duration(TIMES.fail, figures.failed);
  duration(TIMES.queue, figures.waited);
  duration(TIMES.computeInfer, figures.runs);
  out.end(times);
  out.end(model);
}

// Where a model's nodes run: seen in a profile of the runtime's own, and refused where they run elsewhere than was asked for.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { providersMistake } from '../../src/core/index.ts';
import { createOnnxRuntime, type LoadedModel } from '../../src/models/index.ts';
import { type NodeRun, openProfile, proveProviders, readNodes } from '../../src/models/onnx/node-providers.ts';
import { madeRows } from '../../src/models/onnx/made-rows.ts';
import { measureModel } from '../../src/models/onnx/measure-model.ts';
import { openMeasured } from '../../src/models/onnx/open-measured.ts';
import { asNoRoom, briefly, openSession, type OrtSession } from '../../src/models/onnx/ort-session.ts';
import { classifierModel, constantModel, mlpModel, namedModel, treesModel } from '../support/onnx-model.ts';

const open: LoadedModel[] = [];
let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'headrace-providers-'));
  // Threads that start from now on have it, too.
  vi.stubEnv('TMPDIR', temporary);
});
afterEach(async () => {
  for (const model of open.splice(0)) await model.close();
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true });
});
const load = async (onnx: Uint8Array, providers: readonly string[], options = {}): Promise<LoadedModel> => {
  const model = await createOnnxRuntime(options).load(onnx, { providers, mayBlock: true });
  open.push(model);
  return model;
};
/** What is left of profiles. */
const profiles = (): string[] => readdirSync(temporary);

/** What a session on the CPU is claimed to be. */
function claim(onnx: Uint8Array, providers: readonly string[], providerShare = 1) {
  const { session, nodesByProvider } = openMeasured({ providers, providerShare }, (profile) =>
    openSession(onnx, ['cpu'], 1, profile),
  );
  session.release();
  return nodesByProvider;
}

describe('a model', () => {
  it.each([
    // A TreeEnsembleRegressor and a Sigmoid.
    ['trees', treesModel(12, 20, 4), 2],
    ['a constant', constantModel(2, 0.5), expect.any(Number)],
    ['a classifier', classifierModel(3), expect.any(Number)],
  ])('of %s on the CPU is seen to run there', async (_what, onnx, nodes) => {
    expect((await load(onnx, ['cpu'])).nodesByProvider).toEqual({ cpu: nodes });
    expect(profiles()).toEqual([]);
  });

  it.each(['model/dense_1/MatMul', 'a "quoted" one', 'C:\\layers\\new', 'tab\there', 'größe 😀', "it's"])(
    'is seen whatever its nodes are called: %s',
    (name) => {
      expect(claim(namedModel(name), ['cpu'])).toEqual({ cpu: 1 });
      expect(() => claim(namedModel(name), ['cuda', 'cpu'])).toThrow(`MatMul "${name}" on cpu`);
    },
  );

  it('is no slower for it, nor watched any longer: the profile ends before anything is measured', () => {
    const profile = openProfile();
    const session = openSession(treesModel(12, 20, 4), ['cpu'], 1, profile?.prefix);
    session.endProfiling();
    // Nothing ran while it was watched.
    expect(profile?.read()).toEqual([]);
    session.release();
    profile?.discard();
  });

  it('that is claimed to run elsewhere is refused, by the nodes that did not', () => {
    const onnx = mlpModel(12, 16);
    expect(() => claim(onnx, ['cuda', 'cpu'])).toThrow(
      /none of its \d nodes ran on "cuda", the first of its providers: .*"? on cpu/,
    );
    expect(() => claim(onnx, ['cuda'])).toThrow(/nodes ran elsewhere than on cuda: .* on cpu/);
    expect(() => claim(onnx, ['webgpu', 'cpu'])).toThrow(/"webgpu"/);
    expect(claim(onnx, ['cpu'])).toEqual(claim(onnx, ['cuda', 'cpu'], 0));
    expect(profiles()).toEqual([]);
  });

  it('that can’t be seen runs on the CPU, and nowhere else', () => {
    vi.stubEnv('TMPDIR', '/nowhere/at/all');
    const onnx = mlpModel(12, 16);
    expect(claim(onnx, ['cpu'])).toBeUndefined();
    expect(() => claim(onnx, ['cuda', 'cpu'])).toThrow(/nothing shows whether it runs on "cuda"/);
    expect(claim(onnx, ['cuda', 'cpu'], 0)).toBeUndefined();
  });

  it('is refused where its provider is not there, by what there is', async () => {
    const message = expect.stringMatching(
      /"coreml" is not available here: this build of ONNX Runtime has no such\. It has cpu.*gpu\.md/,
    );
    await expect(load(mlpModel(12, 16), ['coreml', 'cpu'])).rejects.toMatchObject({ code: 'HR_UNSUPPORTED', message });
  });
});

describe('a device', () => {
  const signatureOf = (width: number): OrtSession['signature'] => ({
    inputs: [{ name: 'x', type: 'float32', shape: [null, width] }],
    outputs: [{ name: 'y', type: 'float32', shape: [null, 1] }],
  });
  /** [N, 1] → itself, off by so much where other rows are in the batch; the first run of each size takes a while. */
  function device(off: number, firstMs = 0): OrtSession {
    const seen = new Set<number>();
    return {
      signature: signatureOf(1),
      run([x]) {
        const values = x?.data as Float32Array;
        const untilMs = seen.has(values.length) ? 0 : performance.now() + firstMs;
        seen.add(values.length);
        while (performance.now() < untilMs);
        const data = values.map((value) => value + off * Math.min(1, values.length - 1));
        return [{ type: 'float32', shape: [data.length, 1], data }];
      },
      endProfiling() {},
      release() {},
    };
  }
  const measured = (session: OrtSession, isOnDevice: boolean) => measureModel(session, { ranOnce() {}, isOnDevice });

  it('may add up in another order by the batch’s size, and not mix rows', () => {
    expect([1e-6, 1e-3, 1e-1].map((off) => measured(device(off), true).mode)).toEqual(['joined', 'joined', 'single']);
    expect([1e-6, 1e-3, 1e-1].map((off) => measured(device(off), false).mode)).toEqual(['joined', 'single', 'single']);
  });

  it.each([1, 3])('that has no memory left for %i rows is no fault of the file', (rows) => {
    const roomy = device(0);
    const full: OrtSession = {
      ...roomy,
      run(inputs) {
        if ((inputs[0] as (typeof inputs)[0]).data.length < rows) return roomy.run(inputs);
        throw new Error(
          'Non-zero status code returned while running Conv node. Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:359 Failed to allocate memory for requested buffer of size 268435456',
        );
      },
    };
    const message = expect.stringMatching(/no room for the model now \(Non-zero .* Failed to allocate/);
    expect(() => measured(full, true)).toThrow(expect.objectContaining({ code: 'HR_OVERLOADED', message }));
  });

  it('is measured by a batch that takes no more memory than a few large rows need', () => {
    const width = 2 ** 20;
    let mostBytes = 0;
    const wide: OrtSession = {
      ...device(0),
      signature: signatureOf(width),
      run([x]) {
        const values = x?.data as Float32Array;
        mostBytes = Math.max(mostBytes, values.byteLength);
        const rows = values.length / width;
        const data = Float32Array.from({ length: rows }, (_, row) => values[row * width] as number);
        return [{ type: 'float32', shape: [rows, 1], data }];
      },
    };
    expect(measured(wide, false).mode).toBe('joined');
    expect(mostBytes).toBe(64 * 2 ** 20);
  });

  it('is measured once it has compiled for a size', () => {
    const { fixedMicros, rowMicros } = measured(device(0, 250), true);
    expect(fixedMicros + 32 * rowMicros).toBeLessThan(50_000);
  });
});

describe('rows of our making', () => {
  /** How rows of a model may share a batch that gives its one input back. */
  function measured(shape: readonly (number | null)[] | undefined) {
    return measureModel(
      {
        signature: { inputs: shape === undefined ? [] : [{ name: 'x', type: 'float32', shape }], outputs: [] },
        run: (inputs) => inputs.map(({ dims, data }) => ({ type: 'float32', shape: dims, data: data as Float32Array })),
        endProfiling() {},
        release() {},
      },
      { ranOnce() {}, isOnDevice: false },
    );
  }

  it.each([
    ['bool', 2],
    ['uint8', 5],
    ['int8', 5],
    ['int64', 5],
    ['uint64', 5],
    ['float32', 6],
    ['float64', 6],
    ['float16', 6],
    ['string', 6],
  ] as const)('are told apart where the type has room for it: %s', (type, values) => {
    const signature = { inputs: [{ name: 'x', type, shape: [null, 1] }], outputs: [] };
    const kinds = (['tame', 'wide'] as const).map((kind) => madeRows(signature, { kind, rows: 6, length: 1 }));
    expect(kinds.map(([x]) => new Set<unknown>(x?.data as Iterable<unknown>).size >= values)).toEqual([true, true]);
  });

  it.each([
    ['one input of one row', [1, 2], 'rowwise'],
    ['one input of two rows', [2, 2], 'single'],
    ['any number of rows', [null, 2], 'joined'],
    ['no input', undefined, 'single'],
  ])('share a batch, go one by one, or do neither: %s', (_, shape, mode) => {
    expect(measured(shape)).toMatchObject({ mode, isMeasured: true });
  });
});

it.each([
  ['CUDA failure 2: out of memory', ' ; GPU=0 ; hostname=vm'],
  ['CUDA failure 46: CUDA-capable device(s) is/are busy or unavailable', ' ; GPU=0 ; hostname=vm'],
  ['std::bad_alloc', ''],
])('what others may give back is waited for: %s', (told, more) => {
  const message = `there is no room for the model now (${told}). Unload others, or give the server more memory.`;
  expect(asNoRoom(new Error(`${told}${more}`))).toMatchObject({ code: 'HR_OVERLOADED', message });
  expect(asNoRoom(new Error('CUDA failure 100: no CUDA-capable device is detected'))).toBeUndefined();
});

it('what CUDA says is told without where in the runtime’s source', () => {
  // As the library of CUDA said it where there was no device.
  const said =
    '/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:146 void onnxruntime::CudaCall(ERRTYPE, const char*) [with ERRTYPE = cudaError; bool THRW = true] CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/x.cc ; line=352 ; expr=cudaSetDevice(info_.device_id);';
  expect(briefly(said)).toBe('CUDA failure 100: no CUDA-capable device is detected');
  expect(briefly('/onnxruntime_src/a/webgpu_context.cc:136 was false. No adapters\n')).toBe('was false. No adapters');
});

const ran = (provider: string, op = 'MatMul', isOfShapes = false): NodeRun => ({ name: op, op, provider, isOfShapes });

describe('what ran', () => {
  const sizes = [ran('cpu', 'Gather', true), ran('cpu', 'Concat', true)];
  const nine = Array.from({ length: 9 }, () => ran('cuda'));

  it('may compute sizes on the CPU where that is named, and nothing else', () => {
    expect(proveProviders([...nine, ...sizes], ['cuda:1', 'cpu'], 1)).toEqual({ cuda: 9, cpu: 2 });
    expect(() => proveProviders([...nine, ...sizes], ['cuda'], 1)).toThrow(/2 of its 11 nodes .* Name "cpu" last/);
    expect(() => proveProviders([...nine, ran('cpu', 'Resize')], ['cuda', 'cpu'], 1)).toThrow(
      /1 of its 10 nodes fell to the CPU: Resize "Resize" on cpu\. models\.providerShare wants 1/,
    );
  });

  it('may do so by share', () => {
    const nodes = [...nine, ran('cpu', 'Resize'), ...sizes];
    expect(proveProviders(nodes, ['cuda', 'cpu'], 0.9)).toEqual({ cuda: 9, cpu: 3 });
    expect(() => proveProviders(nodes, ['cuda', 'cpu'], 0.91)).toThrow(/fell to the CPU/);
  });

  it('may be on any that is named, and some of it on the first', () => {
    const named = ['tensorrt', 'cuda', 'cpu'];
    expect(proveProviders([ran('tensorrt'), ...nine], named, 1)).toEqual({ tensorrt: 1, cuda: 9 });
    expect(() => proveProviders(nine, named, 1)).toThrow(/none of its 9 nodes ran on "tensorrt"/);
  });

  it('names few nodes of many', () => {
    const many = Array.from({ length: 40 }, (_, at) => ran('cpu', `Op${at}`));
    expect(() => proveProviders([ran('cuda'), ...many], ['cuda', 'cpu'], 1)).toThrow(/Op4 "Op4" on cpu and 35 more/);
  });
});

describe('a profile', () => {
  const event = (name: string, node: number, op_name: string, provider: string, more = {}): object => {
    const args = { op_name, provider: `${provider}ExecutionProvider`, node_index: String(node), ...more };
    return { cat: 'Node', name: `${name}_kernel_time`, args, ph: 'X', ts: 1, dur: 1 };
  };
  const shapes = { input_type_shape: [{ int64: [3] }], output_type_shape: [{ bool: [1] }] };

  it('gives each node once, without copies between devices, and which of them compute sizes', () => {
    const floats = { input_type_shape: [{ float: [1] }], output_type_shape: [{ float: [1] }] };
    const profile = [
      { cat: 'Session', name: 'model_run', args: {} },
      event('mm', 0, 'MatMul', 'CUDA', floats),
      event('mm', 0, 'MatMul', 'CUDA'),
      event('gather', 1, 'Gather', 'CPU', shapes),
      event('Memcpy', 2, 'MemcpyFromHost', 'CUDA'),
      event('x', 3, 'Relu', 'New'),
    ];
    expect(readNodes(JSON.stringify(profile))).toEqual([
      { name: 'mm', op: 'MatMul', provider: 'cuda', isOfShapes: false },
      { name: 'gather', op: 'Gather', provider: 'cpu', isOfShapes: true },
      { name: 'x', op: 'Relu', provider: 'NewExecutionProvider', isOfShapes: false },
    ]);
  });

  it('that is none is no proof', () => {
    expect(() => readNodes('[{"cat":"Node"')).toThrow(SyntaxError);
    expect(() => readNodes('{}')).toThrow(/a list of events/);
    const profile = openProfile();
    expect(profile?.read()).toBeUndefined();
    profile?.discard();
    expect(existsSync(profile?.prefix ?? '')).toBe(false);
  });
});

describe('providers in order', () => {
  it.each([[['cpu']], [['cuda', 'cpu']], [['cuda:1', 'cpu']], [['tensorrt', 'cuda', 'cpu']], [['webgpu']]])(
    '%j are taken',
    (providers) => {
      expect(providersMistake(providers)).toBeUndefined();
    },
  );

  it.each([
    [['gpu'], '"gpu" is no execution provider: they are cpu, cuda'],
    [['cude'], 'Did you mean "cuda"?'],
    [['cpu', 'cuda'], '"cpu" takes every node, so nothing comes after it'],
    [['cuda', 'cuda'], '"cuda" is named twice'],
    [['cuda:x'], '"cuda:x" is no device of "cuda": write "cuda" or "cuda:1"'],
    [['cpu:1'], '"cpu:1" is no device of "cpu": it has none to choose'],
    [['cuda:01'], 'is no device'],
    [[''], 'is no execution provider'],
  ])('%j are refused', (providers, says) => {
    expect(providersMistake(providers)).toContain(says);
  });
});

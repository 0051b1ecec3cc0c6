import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { createRequestTruth } from '../../src/serving/request-truth.ts';
import { recordLog } from '../support/open-for.ts';

const away = new HeadraceError('HR_ONLINE_UNAVAILABLE', 'the store does not answer');
const broken = new HeadraceError('HR_INFERENCE_FAILED', 'no such row');
const late = new HeadraceError('HR_DEADLINE', 'the deadline passed');
const [FAILS, ANSWERS] = ['endpoint fails at every request', 'endpoint answers again'];

function open() {
  const { logger, lines } = recordLog();
  let nowMs = 0;
  const truth = createRequestTruth('live', { logger, nowMicros: () => nowMs * 1000, nowMs: () => nowMs });
  const fail = (error: HeadraceError, times = 1) => {
    for (let at = 0; at < times; at++) truth.failed(error);
  };
  const told = () => lines.map(({ msg }) => msg);
  return { truth, told, fail, failing: () => truth.failing(), pass: (ms: number) => (nowMs += ms) };
}

it('is failing at the third failure in a row that spans a second, told once, until it answers', () => {
  const { truth, told, fail, failing, pass } = open();
  fail(away);
  pass(500);
  fail(away);
  pass(500);
  expect(failing()).toBeUndefined();
  fail(away, 5);
  expect(failing()).toEqual({ sinceMicros: 0, reason: 'HR_ONLINE_UNAVAILABLE: the store does not answer' });
  truth.answered();
  expect(failing()).toBeUndefined();
  expect(told()).toEqual([FAILS, ANSWERS]);
});

it('is failing at the tenth failure in a row at once', () => {
  const { fail, failing } = open();
  fail(away, 9);
  expect(failing()).toBeUndefined();
  fail(away);
  expect(failing()).toEqual({ sinceMicros: 0, reason: 'HR_ONLINE_UNAVAILABLE: the store does not answer' });
});

it.each([
  ['one of two versions fails at each of its rows', broken, 5, 150],
  ['it drops what is too much and answers the rest', late, 20, 170],
])('is not failing where %s', (_what, error, failures, ms) => {
  const { truth, told, fail, failing, pass } = open();
  for (let batch = 0; batch < 100; batch++) {
    fail(error, failures);
    pass(ms);
    expect(failing()).toBeUndefined();
    truth.answered();
  }
  expect(told()).toEqual([]);
});

it('goes on failing by what a model or a function did until it answers, or answers by something else', () => {
  const { truth, told, fail, failing, pass } = open();
  fail(broken, 10);
  pass(3_600_000);
  expect(failing()).toEqual({ sinceMicros: 0, reason: 'HR_INFERENCE_FAILED: no such row' });
  truth.begin();
  expect(failing()).toBeUndefined();
  truth.answered();
  fail(broken, 10);
  expect(failing()).toMatchObject({ sinceMicros: 3_600_000_000 });
  truth.answered();
  expect(told()).toEqual([FAILS, FAILS, ANSWERS]);
});

it('is failing when all came too late for a second', () => {
  const { truth, told, fail, failing, pass } = open();
  fail(late, 5);
  expect(failing()).toBeUndefined();
  pass(999);
  expect(failing()).toBeUndefined();
  pass(1);
  expect(failing()).toEqual({ sinceMicros: 0, reason: 'HR_DEADLINE: the deadline passed' });
  expect(told()).toEqual([]);
  fail(late, 2);
  expect(told()).toEqual([FAILS]);
  truth.answered();
  truth.answered();
  expect(failing()).toBeUndefined();
  expect(told()).toEqual([FAILS, ANSWERS]);
});

it('is not failing for one or two requests, nor for what failed long ago', () => {
  const { told, fail, failing, pass } = open();
  fail(away);
  pass(5000);
  fail(away);
  pass(5000);
  expect(failing()).toBeUndefined();
  fail(away);
  expect(failing()).toMatchObject({ sinceMicros: 0 });
  pass(10_001);
  expect(failing()).toBeUndefined();
  // Counted anew.
  fail(away);
  expect(failing()).toBeUndefined();
  expect(told()).toEqual([FAILS]);
});

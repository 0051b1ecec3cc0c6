import { expect, it } from 'vitest';
import { HeadraceError, type Logger } from '../../src/core/index.ts';
import { createRequestTruth } from '../../src/serving/request-truth.ts';

const away = new HeadraceError('HR_ONLINE_UNAVAILABLE', 'the store does not answer');
const broken = new HeadraceError('HR_INFERENCE_FAILED', 'no such row');
const late = new HeadraceError('HR_DEADLINE', 'the deadline passed');

it('is failing at the third failure in a row that spans a second, told once, until it answers', () => {
  const { truth, told, pass } = open();
  truth.failed(away);
  pass(500);
  truth.failed(away);
  pass(500);
  expect(truth.failing()).toBeUndefined();
  for (let at = 0; at < 5; at++) truth.failed(away);
  expect(truth.failing()).toEqual({ sinceMicros: 0, reason: 'HR_ONLINE_UNAVAILABLE: the store does not answer' });
  truth.answered();
  expect(truth.failing()).toBeUndefined();
  expect(told).toEqual(['endpoint fails at every request', 'endpoint answers again']);
});

it('is failing at the tenth failure in a row at once', () => {
  const { truth } = open();
  for (let at = 0; at < 9; at++) truth.failed(away);
  expect(truth.failing()).toBeUndefined();
  truth.failed(away);
  expect(truth.failing()).toBeDefined();
});

it('is not failing where one of two versions fails at each of its rows', () => {
  const { truth, told, pass } = open();
  for (let at = 0; at < 300; at++) {
    if (at % 6 === 0) truth.answered();
    else truth.failed(broken);
    pass(25);
    expect(truth.failing()).toBeUndefined();
  }
  expect(told).toEqual([]);
});

it('goes on failing by what a model or a function did until it answers, or answers by something else', () => {
  const { truth, told, pass } = open();
  for (let at = 0; at < 10; at++) truth.failed(broken);
  pass(3_600_000);
  expect(truth.failing()).toEqual({ sinceMicros: 0, reason: 'HR_INFERENCE_FAILED: no such row' });
  truth.begin();
  expect(truth.failing()).toBeUndefined();
  truth.answered();
  for (let at = 0; at < 10; at++) truth.failed(broken);
  expect(truth.failing()).toMatchObject({ sinceMicros: 3_600_000_000 });
  truth.answered();
  expect(told).toEqual([
    'endpoint fails at every request',
    'endpoint fails at every request',
    'endpoint answers again',
  ]);
});

it('is failing when all came too late for a second', () => {
  const { truth, told, pass } = open();
  for (let at = 0; at < 5; at++) truth.failed(late);
  expect(truth.failing()).toBeUndefined();
  pass(999);
  expect(truth.failing()).toBeUndefined();
  pass(1);
  expect(truth.failing()).toEqual({ sinceMicros: 0, reason: 'HR_DEADLINE: the deadline passed' });
  expect(told).toEqual([]);
  truth.failed(late);
  truth.failed(late);
  expect(told).toEqual(['endpoint fails at every request']);
  truth.answered();
  truth.answered();
  expect(truth.failing()).toBeUndefined();
  expect(told).toEqual(['endpoint fails at every request', 'endpoint answers again']);
});

it('is not failing while it drops what is too much and answers the rest', () => {
  const { truth, told, pass } = open();
  for (let batch = 0; batch < 100; batch++) {
    for (let row = 0; row < 20; row++) truth.failed(late);
    pass(170);
    expect(truth.failing()).toBeUndefined();
    truth.answered();
  }
  expect(told).toEqual([]);
});

it('is not failing for one or two requests, nor for what failed long ago', () => {
  const { truth, told, pass } = open();
  truth.failed(away);
  pass(5000);
  truth.failed(away);
  pass(5000);
  expect(truth.failing()).toBeUndefined();
  truth.failed(away);
  expect(truth.failing()).toMatchObject({ sinceMicros: 0 });
  pass(10_001);
  expect(truth.failing()).toBeUndefined();
  // Counted anew.
  truth.failed(away);
  expect(truth.failing()).toBeUndefined();
  expect(told).toEqual(['endpoint fails at every request']);
});

function open() {
  const told: string[] = [];
  let nowMs = 0;
  const tell = (_: object, message: string) => told.push(message);
  const logger = { info: tell, error: tell } as unknown as Logger;
  const truth = createRequestTruth('live', { logger, nowMicros: () => nowMs * 1000, nowMs: () => nowMs });
  return { truth, told, pass: (ms: number) => (nowMs += ms) };
}

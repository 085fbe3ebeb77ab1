import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../../../src/core/limits.ts';
import { renderedOf } from '../../../../src/render/kustomize/child-renderer.ts';
import { BrokenFrame } from '../../../../src/render/kustomize/socket/frame.ts';
import {
  answerParts,
  type BuildAnswer,
  readAnswer,
  readDescription,
  readRefusal,
  readRequest,
  requestHeader,
} from '../../../../src/render/kustomize/socket/message.ts';

const ABOUT = { kustomize: '5.8.2', network: 'none', resources: 'capped' } as const;
const ASKED = { files: [{ path: 'kustomization.yaml', bytes: Buffer.from('x') }], root: '' };
const RUN = { timeoutMs: 1_000, maxOutputBytes: 1_000 };

const part = fc.stringMatching(/^[a-z][a-z0-9.-]{0,8}$/);
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const files = fc.uniqueArray(
  path.chain((name) => fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ path: name, bytes: Buffer.from(bytes) }))),
  { selector: (file) => file.path, minLength: 1, maxLength: 8 },
);

function readOrBroken<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof BrokenFrame) return undefined;
    throw thrown;
  }
}

function through(header: unknown): unknown {
  return JSON.parse(JSON.stringify(header));
}

describe('a request', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(files, (some) => {
        const asked = { files: some, root: '' };
        const got = readRequest(through(requestHeader(asked)), Buffer.concat(some.map(({ bytes }) => bytes)));
        expect(got).toEqual(asked);
      }),
    );
  });

  test('of whatever form is read or refused, and never leads out of its folder', () => {
    const name = fc.oneof(
      path,
      fc.constantFrom('..', '../x', '/etc/passwd', 'a//b', 'a/./b', '', 'a\0b', '.'),
      fc.string(),
    );
    const entry = fc.record(
      { path: fc.oneof(name, fc.jsonValue()), bytes: fc.oneof(fc.integer({ min: -2, max: 9 }), fc.jsonValue()) },
      { requiredKeys: [] },
    );
    const header = fc.oneof(
      fc.jsonValue(),
      fc.record(
        { root: fc.oneof(name, fc.jsonValue()), files: fc.oneof(fc.array(entry), fc.jsonValue()) },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 20 }), (value, body) => {
        const got = readOrBroken(() => readRequest(through(value), Buffer.from(body)));
        for (const each of got?.files ?? []) expect(each.path.split('/')).not.toContain('..');
        expect(got?.root.startsWith('/') ?? false).toBe(false);
        const bytes = (got?.files ?? []).reduce((sum, file) => sum + file.bytes.length, 0);
        if (got !== undefined) expect(bytes).toBe(body.length);
      }),
    );
  });

  test.each([
    ['a path out of the folder', { root: '', files: [{ path: '../x', bytes: 1 }] }],
    ['an absolute path', { root: '', files: [{ path: '/x', bytes: 1 }] }],
    ['a path that is too long', { root: '', files: [{ path: 'x'.repeat(5_000), bytes: 1 }] }],
    ['a root that is not in the tree', { root: 'github.com/a', files: [{ path: 'x', bytes: 1 }] }],
    ['a root out of the folder', { root: '..', files: [{ path: 'x', bytes: 1 }] }],
    ['too few bytes', { root: '', files: [{ path: 'x', bytes: 2 }] }],
    ['too many bytes', { root: '', files: [] }],
    [
      'a negative length',
      {
        root: '',
        files: [
          { path: 'x', bytes: -1 },
          { path: 'y', bytes: 2 },
        ],
      },
    ],
    [
      'a broken length',
      {
        root: '',
        files: [
          { path: 'x', bytes: 0.5 },
          { path: 'y', bytes: 0.5 },
        ],
      },
    ],
    ['no root', { files: [{ path: 'x', bytes: 1 }] }],
    [
      'too many files',
      {
        root: '',
        files: Array.from({ length: LIMITS.maxSnapshotFiles + 1 }, (_, index) => ({
          path: `f${index}`,
          bytes: index === 0 ? 1 : 0,
        })),
      },
    ],
  ])('with %s is refused', (_name, header) => {
    expect(readOrBroken(() => readRequest(header, Buffer.from('x')))).toBeUndefined();
  });
});

describe('an answer', () => {
  const outcomes: readonly BuildAnswer['outcome'][] = [
    { kind: 'done', output: Buffer.from('apiVersion: v1') },
    { kind: 'failed', complaint: 'no matches for Id', folder: '/work/1/repository' },
    { kind: 'ended', why: 'memory' },
    { kind: 'absent' },
    { kind: 'unwritten', why: 'there is no space left', file: 'kustomization.yaml' },
    { kind: 'unwritten', why: 'there is no space left', file: undefined },
  ];

  test.each(outcomes)('is read as it was written: $kind', (outcome) => {
    const { header, body } = answerParts({ about: ABOUT, outcome });
    expect(readAnswer(through(header), Buffer.from(body), ASKED)).toEqual({ about: ABOUT, outcome });
  });

  test('of whatever form is read or refused, and no text of it gets to people', () => {
    const mark = 'run-curl-evil';
    const text = fc.constantFrom(mark, `${mark}.yaml`, `/x/${mark}`);
    const outcome = fc.record(
      {
        kind: fc.constantFrom('done', 'failed', 'ended', 'absent', 'unwritten', mark),
        why: fc.oneof(text, fc.constantFrom('memory', 'timeout', 'there is no space left')),
        file: text,
        folder: text,
      },
      { requiredKeys: ['kind'] },
    );
    const words = fc.constantFrom(
      mark,
      'no matches for Id ',
      'Secret.v1.[noGrp]/x.[noNs]',
      ' ',
      `/${mark}/kustomization.yaml`,
      'testing value ',
      'failed',
      '\n',
    );
    const complaint = fc.array(words, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(outcome, complaint, (said, body) => {
        const answer = readOrBroken(() => readAnswer({ about: ABOUT, outcome: said }, Buffer.from(body), ASKED));
        if (answer === undefined) return;
        const rendered = renderedOf(answer.outcome, { ...ASKED, ...RUN });
        if (!rendered.ok) expect(rendered.error.text() + JSON.stringify(rendered.error)).not.toContain(mark);
      }),
    );
  });

  test('that says of itself anything but words that are known is refused', () => {
    expect(readDescription({ network: 'shared', resources: 'free' })).toEqual({
      kustomize: undefined,
      network: 'shared',
      resources: 'free',
    });
    for (const wrong of [
      {},
      { ...ABOUT, kustomize: '5.8.2; rm -rf /' },
      { ...ABOUT, network: 'trust me' },
      { ...ABOUT, resources: '' },
      null,
      'x',
    ]) {
      expect(readOrBroken(() => readDescription(wrong))).toBeUndefined();
    }
    for (const wrong of [{}, { why: 'because' }, null]) expect(readOrBroken(() => readRefusal(wrong))).toBeUndefined();
    fc.assert(
      fc.property(fc.jsonValue(), (value) => void readOrBroken(() => readAnswer(value, Buffer.alloc(3), ASKED))),
    );
  });

  test('with a complaint that is longer than a run keeps is refused', () => {
    const header = { about: ABOUT, outcome: { kind: 'failed', folder: '/' } };
    expect(readOrBroken(() => readAnswer(header, Buffer.alloc(64 * 1024 + 1), ASKED))).toBeUndefined();
    const long = answerParts({
      about: ABOUT,
      outcome: { kind: 'failed', complaint: 'é'.repeat(64 * 1024), folder: '/' },
    });
    expect(readAnswer(long.header, Buffer.from(long.body), ASKED).outcome.kind).toBe('failed');
  });
});

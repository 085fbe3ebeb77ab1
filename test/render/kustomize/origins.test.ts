import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findOrigin } from '../../../src/render/kustomize/origins.ts';
import { scan } from '../../../src/render/kustomize/scan.ts';
import { kustomization, tree } from './trees.ts';

const origin = (name: string, file = `${name}.yaml`, kind = 'Secret', line = 3) => ({
  group: '',
  kind,
  name,
  file,
  line,
});
const of = (name: string, kind = 'Secret') => ({ group: '', kind, name });
const KUSTOMIZATION = 'o/kustomization.yaml';

describe('where a rendered object stands in the repository', () => {
  it.each(['db', 'prod-db', 'db-z', 'prod-db-z', 'prod-db-5gk8bm9h2t'])(
    'is its file, whatever was put around the name: %s',
    (name) => {
      expect(findOrigin(of(name), [origin('db'), origin('web')], KUSTOMIZATION)).toEqual({ file: 'db.yaml', line: 3 });
    },
  );

  it('is the file with the longest name that fits', () => {
    const origins = [origin('db'), origin('db-admin'), origin('admin')];
    expect(findOrigin(of('a-db-admin'), origins, KUSTOMIZATION).file).toBe('db-admin.yaml');
  });

  it('is the kustomization where several files could be meant, or none', () => {
    const both = [origin('db', 'a.yaml'), origin('db', 'b.yaml')];
    expect(findOrigin(of('db'), both, KUSTOMIZATION)).toEqual({ file: KUSTOMIZATION, line: 1 });
    expect(findOrigin(of('x'), [origin('db')], KUSTOMIZATION)).toEqual({ file: KUSTOMIZATION, line: 1 });
    expect(findOrigin(of('db', 'ConfigMap'), [origin('db')], KUSTOMIZATION).file).toBe(KUSTOMIZATION);
    expect(findOrigin(of('db'), [origin('db'), origin('db')], KUSTOMIZATION).file).toBe('db.yaml');
  });

  it('is never a file of another kind or without the name', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 5 });
    const some = fc.record({ name, kind: fc.constantFrom('Secret', 'ConfigMap') });
    fc.assert(
      fc.property(fc.array(some), some, (origins, rendered) => {
        const listed = origins.map((each, at) => origin(each.name, `f${at}`, each.kind));
        const { file } = findOrigin(of(rendered.name, rendered.kind), listed, KUSTOMIZATION);
        if (file === KUSTOMIZATION) return;
        const found = listed.find((each) => each.file === file);
        expect(found?.kind).toBe(rendered.kind);
        expect(rendered.name).toContain(found?.name);
      }),
    );
  });

  it('is told by files of resources, lists and SealedSecrets included, and not by patches', () => {
    const scanned = scan(
      tree(
        kustomization(
          'resources: [a.yaml, s.yaml]\npatches: [{ path: p.yaml }]',
          '-- a.yaml\napiVersion: v1\nkind: List\nitems:\n- { apiVersion: v1, kind: ConfigMap, metadata: { name: m } }\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata: { name: d }\n',
          '-- s.yaml\n# first\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: { name: s }\n',
          '-- p.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: p }\n',
        ),
      ),
      '',
    );
    expect(scanned.ok && scanned.result.origins).toEqual([
      { group: '', kind: 'ConfigMap', name: 'm', file: 'a.yaml', line: 4 },
      { group: 'apps', kind: 'Deployment', name: 'd', file: 'a.yaml', line: 5 },
      { group: '', kind: 'Secret', name: 's', file: 's.yaml', line: 2 },
    ]);
  });
});

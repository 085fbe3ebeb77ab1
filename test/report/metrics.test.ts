import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/report/metrics.ts';

const COUNTS = { desired: 5, current: 3, inProgress: 1, failed: 1, held: 0, paused: 0, pruned: 2 };

async function lines(act: (metrics: ReturnType<typeof createMetrics>) => void): Promise<readonly string[]> {
  const metrics = createMetrics('0.1.0');
  act(metrics);
  return (await metrics.render()).split('\n');
}

const day = (number: number): string => new Date(number * 86_400_000).toISOString();

describe('metrics', () => {
  it('count passes and what they did', async () => {
    const text = await lines((metrics) =>
      metrics.passEnded({ sync: 'app', outcome: 'applied', tookMs: 40, applied: 3, pruned: 1 }),
    );
    expect(text).toContain('sotto_passes_total{sync="app",outcome="applied"} 1');
    expect(text).toContain('sotto_pass_duration_seconds_bucket{le="0.05",sync="app"} 1');
    expect(text).toContain('sotto_pass_duration_seconds_sum{sync="app"} 0.04');
    expect(text).toContain('sotto_applied_objects_total{sync="app"} 3');
    expect(text).toContain('sotto_pruned_objects_total{sync="app"} 1');
  });

  it('show one state of a sync and of a watch at a time', async () => {
    const text = await lines((metrics) => {
      metrics.state('app', 'Progressing');
      metrics.state('app', 'Ready');
      metrics.watch('Secret', 'live');
    });
    expect(text.filter((line) => /^sotto_sync_state.* 1$/.test(line))).toEqual([
      'sotto_sync_state{sync="app",state="Ready"} 1',
    ]);
    expect(text).toContain('sotto_watch_state{kind="Secret",state="live"} 1');
    expect(text).toContain('sotto_watch_state{kind="Secret",state="forbidden"} 0');
  });

  it('count corrections, requests, decrypts and sizes with units in their names', async () => {
    const text = await lines((metrics) => {
      metrics.corrected({ kind: 'Deployment', tookMs: 8 });
      metrics.uncorrectable('Service');
      metrics.apiRequest({ verb: 'patch', resource: 'deployments', code: 200 });
      metrics.apiRequest({ verb: 'watch', resource: 'secrets', code: 'none' });
      metrics.decrypted('sops', 'opened');
      metrics.inventory({ objects: 5, bytes: 1_234 });
      metrics.sourceAsked('app', new Date(1_700_000_000_000));
      metrics.objects('app', COUNTS, 1);
    });
    expect(text).toEqual(
      expect.arrayContaining([
        'sotto_corrections_total{kind="Deployment"} 1',
        'sotto_correction_duration_seconds_sum 0.008',
        'sotto_uncorrectable_total{kind="Service"} 1',
        'sotto_api_requests_total{verb="patch",resource="deployments",code="200"} 1',
        'sotto_api_requests_total{verb="watch",resource="secrets",code="none"} 1',
        'sotto_decrypts_total{format="sops",outcome="opened"} 1',
        'sotto_inventory_objects 5',
        'sotto_inventory_bytes 1234',
        'sotto_source_asked_timestamp_seconds{sync="app"} 1700000000',
        'sotto_objects{sync="app",state="in_progress"} 1',
        'sotto_objects{sync="app",state="refused"} 1',
      ]),
    );
  });

  it('tell the age of keys and their next end, of those that are there now', async () => {
    const text = await lines((metrics) => {
      metrics.keys([{ kind: 'sealing', state: 'retired', since: day(1), until: undefined }]);
      metrics.keys([
        { kind: 'age', state: 'active', since: day(30), until: undefined },
        { kind: 'age', state: 'active', since: day(20), until: undefined },
        { kind: 'age', state: 'decrypt-only', since: undefined, until: day(50) },
        { kind: 'age', state: 'decrypt-only', since: day(2), until: day(40) },
      ]);
      metrics.rehearsed(new Date(1_700_000_000_000));
    });
    expect(text.filter((line) => /^sotto_(?:key|last_rehearsal)/.test(line))).toEqual([
      'sotto_keys{kind="age",state="active"} 2',
      'sotto_keys{kind="age",state="decrypt-only"} 2',
      'sotto_key_since_timestamp_seconds{kind="age",state="active"} 1728000',
      'sotto_key_since_timestamp_seconds{kind="age",state="decrypt-only"} 172800',
      'sotto_key_until_timestamp_seconds{kind="age"} 3456000',
      'sotto_last_rehearsal_timestamp_seconds 1700000000',
    ]);
  });

  it('tell version, memory and CPU of the process', async () => {
    const text = await lines(() => undefined);
    expect(text).toContain('sotto_build_info{version="0.1.0"} 1');
    expect(text.some((line) => /^process_resident_memory_bytes \d{7,}$/.test(line))).toBe(true);
    expect(text.some((line) => /^process_cpu_seconds_total [0-9.]+$/.test(line))).toBe(true);
  });

  it('forget a sync that left the settings, and no other', async () => {
    const text = await lines((metrics) => {
      for (const sync of ['app', 'infra']) {
        metrics.passEnded({ sync, outcome: 'held', tookMs: 1, applied: 0, pruned: 0 });
        metrics.objects(sync, COUNTS, 0);
        metrics.state(sync, 'Held');
        metrics.sourceFailed(sync, new Date());
      }
      metrics.forgetSync('app');
    });
    expect(text.filter((line) => line.includes('"app"'))).toEqual([]);
    expect(text.filter((line) => line.includes('"infra"')).length).toBeGreaterThan(10);
  });

  it('do not mix between two agents in one process', async () => {
    const one = createMetrics('1');
    createMetrics('2').corrected({ kind: 'Secret', tookMs: 1 });
    expect(await one.render()).not.toContain('kind="Secret"');
  });
});

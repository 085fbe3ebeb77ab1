import { realpathSync } from 'node:fs';
import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import type { DemoCodecs, DemoTerminal, ExistingCluster } from '../../demo/options.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { contextOption, kubeconfigOption } from '../options.ts';
import { paintFor } from '../terminal.ts';

interface DemoFlags {
  readonly keep?: true;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
}

const NAMESPACE = 'sotto-demo';

const EXAMPLES = `
Without --context it starts etcd and kube-apiserver on 127.0.0.1, built on the first run (Go is needed for that), or
taken from KUBEBUILDER_ASSETS. It ends by itself, in half a minute, and leaves nothing behind.

Examples:
  npm run demo
  npm run demo -- --keep
  npm run demo -- --context kind-dev

Exit code: 0 everything claimed was seen, 1 a claim failed, 2 something is missing, 130 interrupted.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('show the main job live, on a real API server')
    .option('--keep', 'leave everything running, with commands to look around, until Ctrl-C')
    .addOption(contextOption())
    .addOption(kubeconfigOption())
    .option('-n, --namespace <namespace>', `with --context: namespace to make and remove (default: ${NAMESPACE})`)
    .addHelpText('after', EXAMPLES)
    .action((flags: DemoFlags) => demo(flags, context));
}

async function demo(flags: DemoFlags, context: CommandContext): Promise<void> {
  const { runDemo } = await import('../../demo/demo.ts');
  const isShown = await runDemo({
    env: context.env,
    programPath: realpathSync(process.argv[1] ?? ''),
    commandName: 'npx sotto',
    existing: existingCluster(flags),
    keep: flags.keep === true,
    codecs: CODECS,
    terminal: terminalOf(context),
    signal: context.signal,
  });
  if (!isShown) context.exitWith(EXIT.findings);
}

function existingCluster({ context, kubeconfig, namespace }: DemoFlags): ExistingCluster | undefined {
  if (context === undefined && kubeconfig === undefined) {
    if (namespace !== undefined) throw namespaceAlone();
    return undefined;
  }
  return { context, kubeconfig, namespace: namespace ?? NAMESPACE };
}

function terminalOf(context: CommandContext): DemoTerminal {
  return {
    write: (text) => void context.stdout.write(text),
    isTerminal: context.isTerminal.stdout,
    columns: context.columns,
    paint: paintFor(context, 'stdout'),
  };
}

function namespaceAlone(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: '-n goes with --context or --kubeconfig',
    why: 'the API server that the demo starts has a namespace of its own',
    next: 'sotto demo --help',
  });
}

/** What `sotto encrypt` and `sotto seal` do. */
const CODECS: DemoCodecs = {
  async newAgeKey() {
    const { generateIdentity, identityToRecipient } = await import('age-encryption');
    const identity = await generateIdentity();
    return { identity, recipient: await identityToRecipient(identity) };
  },
  async encrypt(manifest, file, recipient) {
    const { encryptSops } = await import('../../sops/encrypt.ts');
    return encryptSops(manifest, {
      format: file.endsWith('.json') ? 'json' : 'yaml',
      file,
      recipients: [recipient],
      selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' },
      now: new Date(),
    });
  },
  async seal(manifest, file, certificatePem) {
    const { sealingCertificate } = await import('../../sealed/certificate.ts');
    const { readSecretManifests, wipeSecret } = await import('../../sealed/plain-secret.ts');
    const { sealSecret } = await import('../../sealed/seal.ts');
    const { writeSealedSecret } = await import('../../sealed/write.ts');
    const certificate = sealingCertificate(certificatePem, new Date());
    const secrets = readSecretManifests(Buffer.from(manifest), file);
    const sealed = secrets.map((secret) => writeSealedSecret(sealSecret(secret, certificate), 'yaml'));
    for (const secret of secrets) wipeSecret(secret);
    return sealed.join('');
  },
};

import { randomBytes } from 'node:crypto';
import { secret, type World } from './world.ts';

/** What the agent may push with; the credential that its syncs read with is refused for that from now on. */
export interface Pushing {
  readonly password: string;
  /** Makes the Secret `git-push`, labelled and annotated as docs/rotation.md says, or otherwise. */
  secret(name?: string, marks?: { readonly use?: string; readonly url?: string }): Promise<void>;
}

export function allowPushing(world: World): Pushing {
  const password = `push-${randomBytes(12).toString('hex')}`;
  world.git.setWriter({ kind: 'basic', username: 'bot', password });
  return {
    password,
    secret: async (name = 'git-push', { use = 'git-write', url = world.git.url(world.repository) } = {}) => {
      const { metadata, ...rest } = secret(name, { username: 'bot', password, 'ca.crt': world.git.caPem });
      void metadata;
      await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
        ...rest,
        metadata: { name, labels: { 'sotto.dev/use': use }, annotations: { 'sotto.dev/for': url } },
      });
    },
  };
}

import { randomBytes } from 'node:crypto';
import type { TestRepository } from '../../src/demo/git-server.ts';
import type { ControlPlaneClient } from '../../src/demo/control-plane.ts';

export const GIT_PASSWORD = `git-${randomBytes(12).toString('hex')}`;

/** Where a test takes place: what the leak check looks through. */
export interface Place {
  readonly own: { readonly plane: ControlPlaneClient };
  readonly namespace: string;
  readonly repository: TestRepository;
  readonly folder: string;
}

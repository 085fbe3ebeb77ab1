import type { ControlPlaneClient } from '../../src/demo/control-plane.ts';
import { toolPath } from './real.ts';
import { type SealedSecretsController, startStockController } from './stock-controller.ts';

export { installSealedSecretsCrd, type SealedSecretsController } from './stock-controller.ts';

/** The stock controller over all namespaces. Needs root, for a mount namespace of its own. */
export function startSealedSecretsController(
  plane: ControlPlaneClient,
  namespace: string,
): Promise<SealedSecretsController> {
  return startStockController(toolPath('sealed-secrets-controller'), plane, namespace);
}

import type { AdapterKind } from '../../host/host.ts'
import type { TilingTable } from './tiling.ts'

/**
 * Tilings that `graft tune` measured and that were faster than the rule in every run, for each kind
 * of adapter. They are few because the rule was derived from such measurements: the best tilings
 * make a step of alexnet-64 only 1 % faster on lavapipe and 0.3 % on SwiftShader, and each new tile
 * shape adds up to a second to a cold start. No GPU has been measured yet.
 */
export const shippedTilings: Readonly<Record<AdapterKind, TilingTable>> = {
  lavapipe: {
    // the weight gradient of alexnet-64's first convolution, batch 64
    '1x32x75x65536 depth split': { kernel: 'tile', rows: 32, columns: 4, steps: 4, splits: 12 },
  },
  swiftshader: {},
  hardware: {},
}

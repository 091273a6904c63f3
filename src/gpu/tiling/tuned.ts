import type { AdapterKind } from '../../host/platform.ts'
import type { TilingTable } from './tuning.ts'

/**
 * Tilings that `graft tune` measured and that beat the rule, in every run, on adapters of their
 * kind; problems as `problemKey` names them. They are few because the rule was made from such
 * measurements: the best of all tilings make a step of alexnet-64 1 % faster on lavapipe and 0.3 %
 * on SwiftShader, and each new shape of a tile takes a cold start up to a second longer. No GPU was
 * measured yet.
 */
export const tuned: Readonly<Record<AdapterKind, TilingTable>> = {
  lavapipe: {
    // the weight gradient of alexnet-64's first convolution, batch 64
    '1x32x75x65536 depth split': { kernel: 'tile', rows: 32, columns: 4, steps: 4, splits: 12 },
  },
  swiftshader: {},
  hardware: {},
}

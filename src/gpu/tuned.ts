import type { AdapterKind } from './platform.ts'
import type { TilingTable } from './tuning.ts'

/** Tilings that `graft tune` measured and that beat the rule on adapters of their kind; problems as `problemKey` names them. */
export const tuned: Readonly<Record<AdapterKind, TilingTable>> = { lavapipe: {}, swiftshader: {}, hardware: {} }

import { sha256 } from '../../base/sha256.ts'
import type { AdapterKind, Platform } from '../../host/platform.ts'
import { type Tiling, Tilings, type TilingTable } from './tuning.ts'

/** Where a platform keeps what was measured on its adapters, as text by name. */
export interface TuningStore {
  read(name: string): Promise<string | null>
  write(name: string, text: string): Promise<void>
}

/**
 * The name of the tilings measured on an adapter: another driver, another version of WebGPU or
 * another kernel text has others.
 * @param shaders every file under shaders/
 */
async function tuningName(
  { info }: GPUAdapter,
  { runtime = '' }: Platform,
  shaders: ReadonlyMap<string, string>,
): Promise<string> {
  const kernels = [...shaders]
    .filter(([path]) => path.startsWith('contract/'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify([
    info.vendor,
    info.architecture,
    info.device,
    info.description,
    runtime,
    kernels,
  ])
  return (await sha256(new TextEncoder().encode(text))).slice(0, 24)
}

/** The tilings of an adapter, with what was measured on it before. */
export async function openTilings(
  platform: Platform,
  adapter: GPUAdapter,
  kind: AdapterKind,
  lanes: number | null,
  shaders: ReadonlyMap<string, string>,
): Promise<Tilings> {
  const { tunings } = platform
  if (!tunings) return new Tilings(kind, lanes)
  const name = await tuningName(adapter, platform, shaders)
  return new Tilings(kind, lanes, parseTunings(await tunings.read(name)), (measured) =>
    tunings.write(name, JSON.stringify(measured)),
  )
}

/** The tilings in a stored text; none where it is not what `graft tune` writes. */
export function parseTunings(text: string | null): TilingTable {
  if (text === null) return {}
  try {
    const table: unknown = JSON.parse(text)
    if (typeof table !== 'object' || table === null) return {}
    return Object.fromEntries(
      Object.entries(table).filter((entry): entry is [string, Tiling] => isTiling(entry[1])),
    )
  } catch {
    return {} // cut short by a full disk, say: tuning again writes it anew
  }
}

function isTiling(value: unknown): value is Tiling {
  if (typeof value !== 'object' || value === null) return false
  const tiling = value as Record<string, unknown>
  const fields =
    tiling.kernel === 'tile'
      ? ['rows', 'columns', 'steps', 'splits']
      : ['rows', 'columns', 'depth', 'threadRows', 'threadColumns', 'splits']
  const whole = fields.every(
    (field) => Number.isSafeInteger(tiling[field]) && Number(tiling[field]) > 0,
  )
  return (
    (tiling.kernel === 'tile' || tiling.kernel === 'block') &&
    whole &&
    Number(tiling.rows) % 4 === 0 &&
    Number(tiling.columns) % 4 === 0
  )
}

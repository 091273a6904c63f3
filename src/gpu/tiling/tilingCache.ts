import { sha256 } from '../../base/sha256.ts'
import type { AdapterKind, Host } from '../../host/host.ts'
import type { Tiling, TilingTable } from './tiling.ts'
import { TilingSelector } from './tilingSelector.ts'

/**
 * The name under which an adapter's measured tilings are stored. Another driver, another version of
 * WebGPU or another kernel text gets another name, so its tilings are measured again.
 * @param shaders every file under shaders/
 */
async function cacheName(
  { info }: GPUAdapter,
  { runtime = '' }: Host,
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

/** The tilings of an adapter, including those that earlier engines measured on it. */
export async function openTilingSelector(
  host: Host,
  adapter: GPUAdapter,
  kind: AdapterKind,
  lanes: number | null,
  shaders: ReadonlyMap<string, string>,
): Promise<TilingSelector> {
  const { tilingStore } = host
  if (!tilingStore) return new TilingSelector(kind, lanes)
  const name = await cacheName(adapter, host, shaders)
  const measured = parseTilings(await tilingStore.read(name))
  return new TilingSelector(kind, lanes, measured, (table) =>
    tilingStore.write(name, JSON.stringify(table)),
  )
}

/** The tilings in a stored text; none where `graft tune` did not write it. */
export function parseTilings(text: string | null): TilingTable {
  if (text === null) return {}
  try {
    const table: unknown = JSON.parse(text)
    if (typeof table !== 'object' || table === null) return {}
    return Object.fromEntries(
      Object.entries(table).filter((entry): entry is [string, Tiling] => isTiling(entry[1])),
    )
  } catch {
    return {} // a full disk may have cut the file short: tuning again rewrites it
  }
}

function isTiling(value: unknown): value is Tiling {
  if (typeof value !== 'object' || value === null) return false
  const { kernel, ...sizes } = value as Record<string, unknown>
  const names =
    kernel === 'tile'
      ? ['rows', 'columns', 'steps', 'splits']
      : ['rows', 'columns', 'depth', 'threadRows', 'threadColumns', 'steps', 'splits']
  return (
    (kernel === 'tile' || kernel === 'block') &&
    names.every((name) => Number.isSafeInteger(sizes[name]) && Number(sizes[name]) > 0) &&
    Number(sizes.rows) % 4 === 0 &&
    Number(sizes.columns) % 4 === 0
  )
}

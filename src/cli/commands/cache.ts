import { Argument, type Command } from 'commander'
import { bytes, counted } from '../../base/format.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import { type CacheItem, cacheItems, cacheKinds, type Kind, removeItem } from '../cacheItems.ts'
import { shortPath } from '../describe.ts'
import { table } from '../lines.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'

interface JsonOption {
  readonly json?: boolean
}

export function addCache(cache: Command): void {
  cache.option('--json', 'print one JSON event a line, the result last').action(show)
  cache.addHelpText(
    'after',
    `
Everything in the cache folder can be made or fetched again; runs are not in it. GRAFT_CACHE names
another folder.

Examples:
  npx graft-webgpu cache
  npx graft-webgpu cache clear features
  npx graft-webgpu cache clear --dry-run`,
  )
  cache
    .command('clear')
    .description('Delete what is cached; what another process is fetching stays.')
    .addArgument(new Argument('[kind...]', 'what to delete (default: all)').choices(cacheKinds))
    .option('--dry-run', 'say what would be deleted, and delete nothing')
    .option('--json', 'print one JSON event a line, the result last')
    .action(clear)
}

/** So many seconds have these units of an age. */
const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/** The time since a moment in words: '3 days'. */
export function ageText(since: number, now = Date.now()): string {
  const seconds = (now - since) / 1000
  const unit = units.find(([, length]) => seconds >= length)
  return unit ? counted(Math.floor(seconds / unit[1]), unit[0]) : 'under a minute'
}

async function show({ json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const items = await cacheItems()
  const total = sum(items)
  output.event({ type: 'result', folder: cacheFolder(), bytes: total, items })
  output.labeled('cache', cacheFolder())
  if (items.length === 0) return output.line('nothing is cached')
  const rows = items.map((item) => [
    item.kind,
    item.name === item.kind ? '' : item.name,
    bytes(item.size),
    ageText(item.used),
  ])
  output.lines(
    table([['kind', 'what', 'size', 'age'], ...rows, ['in all', '', bytes(total), '']], {
      right: [2],
    }),
  )
  output.line()
  for (const [kind, purpose] of new Map(items.map((item) => [item.kind, item.purpose])))
    output.labeled(kind, purpose)
  output.command('next', nextCommand('cache', 'clear', '--dry-run'))
}

async function clear(
  kinds: readonly Kind[],
  options: { readonly dryRun?: boolean },
  command: Command,
): Promise<void> {
  // Its parent has the same flag, and takes it where it stands before 'clear'.
  const output = new Output(command.optsWithGlobals<JsonOption>().json)
  const wanted = (await cacheItems()).filter(
    ({ kind }) => kinds.length === 0 || kinds.includes(kind),
  )
  const [freed, kept]: [CacheItem[], { item: CacheItem; why: string }[]] = [[], []]
  for (const item of wanted) {
    const why = options.dryRun ? null : await removeItem(item)
    if (why === null) freed.push(item)
    else kept.push({ item, why })
  }
  for (const item of freed)
    output.labeled(
      options.dryRun ? 'would delete' : 'deleted',
      `${nameOf(item)}, ${bytes(item.size)}`,
    )
  for (const { item, why } of kept) output.labeled('kept', `${nameOf(item)}: ${why}`)
  const where = shortPath(cacheFolder())
  output.labeled(
    options.dryRun ? 'would free' : 'freed',
    `${bytes(sum(freed))} in ${where}${wanted.length === 0 ? ': nothing is cached there' : ''}`,
  )
  if (options.dryRun && freed.length > 0)
    output.command('next', nextCommand('cache', 'clear', ...kinds))
  output.event({
    type: 'result',
    dryRun: options.dryRun ?? false,
    bytes: sum(freed),
    deleted: freed,
    kept: kept.map(({ item, why }) => ({ ...item, why })),
  })
}

/** Its kind, and its name where that says more. */
const nameOf = ({ kind, name }: CacheItem) => (kind === name ? kind : `${kind} ${name}`)

const sum = (items: readonly CacheItem[]) => items.reduce((total, { size }) => total + size, 0)

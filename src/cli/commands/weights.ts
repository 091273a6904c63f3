import { fileURLToPath } from 'node:url'
import { type Command, Option } from 'commander'
import { GraftError, UsageError, WeightsError } from '../../base/errors.ts'
import { percent, thousands } from '../../base/format.ts'
import { isOffline } from '../../base/node/offline.ts'
import { preprocessOf, type Variant, variants } from '../../nn/alexnet.ts'
import { entriesFile } from '../../weights/node/entries.ts'
import {
  addWeights,
  allWeights,
  fetchWeights,
  findWeights,
  localFile,
  problemOf,
  removeWeights,
} from '../../weights/node/store.ts'
import { isShipped, type NamedWeights } from '../../weights/registry.ts'
import { exitCodes } from '../errors.ts'
import { Stop } from '../interrupt.ts'
import { table } from '../lines.ts'
import { number as numberOption } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'
import { showTransfer } from '../transfer.ts'

interface JsonOption {
  readonly json?: boolean
}

interface FetchOptions extends JsonOption {
  readonly offline?: boolean
  readonly minRate?: number
}

interface AddOptions extends JsonOption {
  readonly sha256?: string
  readonly variant?: Variant
}

export function addWeightsCommand(weights: Command): void {
  weights.addHelpText(
    'after',
    `
Examples:
  npx graft-webgpu weights list
  npx graft-webgpu weights fetch torchvision/alexnet
  npx graft-webgpu weights add lab/birds https://example.org/birds.pth --sha256 9f86d081…
  npx graft-webgpu weights add lab/dogs ~/dogs.safetensors
  npx graft-webgpu train photos --weights lab/birds

Fetched files are in your cache folder, names of your own in ${entriesFile()}.`,
  )
  const sub = (name: string, description: string) =>
    weights
      .command(name)
      .description(description)
      .option('--json', 'print one JSON event a line, the result last')
  sub('list', 'Show every name, its network and its file.').action(list)
  sub('add', 'Name a file of your own, here or on a server; its sha256 is checked at every use.')
    .argument('<name>', 'letters, digits, . - and _, in parts separated by /')
    .argument('<url|path>', 'an http or https address, or a file here')
    .option(
      '--sha256 <digits>',
      "the file's sha256, all 64 digits; needed for an address, computed for a file here",
    )
    .addOption(
      new Option('--variant <name>', 'the AlexNet it is for, if the file does not say').choices(
        variants,
      ),
    )
    .action(add)
  sub('fetch', 'Fetch weights now, before their first use; an interrupted transfer continues.')
    .argument('<name...>', 'names that list shows')
    .option('--offline', 'fetch nothing, only check local files (also: GRAFT_OFFLINE=1)')
    .option(
      '--min-rate <bytes>',
      'bytes a second below which a connection is given up (default: 256; 0: none)',
      numberOption({ integer: true, min: 0 }),
    )
    .action(fetchNamed)
  sub('verify', 'Check the sha256 of local weights.')
    .argument('[name...]', 'names (default: all that are local)')
    .action(verify)
  sub('path', 'Print the path of the file, for scripts.')
    .argument('<name>', 'a name that list shows')
    .action(path)
  sub('remove', 'Remove a name of your own; delete the files fetched for a name.')
    .argument('<name>', 'a name that list shows')
    .action(remove)
}

/** @throws UsageError that lists the names there are */
function requireWeights(name: string): NamedWeights {
  const found = findWeights(name)
  if (found) return found
  const names = allWeights().map((one) => one.name)
  throw new UsageError(`there are no weights named ${name}; the names are ${names.join(', ')}`)
}

/** Fetches named weights that are not on this machine yet, with a progress bar, and checks them. */
async function fetchShown(
  output: Output,
  weights: NamedWeights,
  { offline, minRate }: FetchOptions,
  stop: Stop,
): Promise<string> {
  const here = await localFile(weights)
  if (here === null && !(offline ?? isOffline()))
    output.labeled('fetching', `${weights.name} from ${weights.file.href}`)
  return showTransfer(output, weights.name, stop, ({ onProgress, ...shown }) =>
    fetchWeights(weights, {
      ...(offline ? { offline } : {}),
      ...(minRate === undefined ? {} : { minRate }),
      ...shown,
      onProgress: (done, total) => onProgress('fetch', done, total),
    }),
  )
}

/**
 * Fetches named weights that are not on this machine yet, before anything is computed. Loading
 * checks them in any case.
 * @param name a name, or a path, for which there is nothing to do
 */
export async function fetchAbsent(
  name: string | undefined,
  { offline }: { readonly offline?: boolean },
  output: Output,
  stop: Stop,
): Promise<void> {
  // Loading fetches damaged weights again, and has to know too.
  if (offline) process.env.GRAFT_OFFLINE = '1'
  const named = name === undefined ? undefined : findWeights(name)
  if (named && (await localFile(named)) === null)
    await fetchShown(output, named, offline ? { offline } : {}, stop)
}

async function list({ json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const rows = await Promise.all(
    allWeights().map(async (weights) => ({ weights, path: await localFile(weights) })),
  )
  output.event({
    type: 'result',
    weights: rows.map(({ weights, path }) => ({
      name: weights.name,
      variant: weights.variant,
      classes: weights.classes,
      parameters: weights.parameters,
      accuracy: weights.accuracy,
      license: weights.license,
      source: weights.file.href,
      sha256: weights.sha256,
      path,
      preprocess: weights.variant && preprocessOf(weights.variant),
    })),
  })
  const number = (n: number | null) => (n === null ? '-' : thousands(n))
  const lines = rows.map(({ weights, path }) => [
    weights.name,
    weights.variant ?? '-',
    number(weights.classes),
    number(weights.parameters),
    weights.accuracy ? percent(weights.accuracy.top1) : '-',
    isShipped(weights) ? 'comes with Graft' : (path ?? 'not fetched yet'),
  ])
  output.lines(
    table([['name', 'network', 'classes', 'parameters', 'top 1', 'file'], ...lines], {
      right: [2, 3, 4],
    }),
  )
  output.line()
  output.labeled(
    'top 1',
    'the share of validation images of its own classes that it gets right, as published',
  )
  const last = allWeights().at(-1)
  if (last) output.command('next', nextCommand('train', 'YOUR_FOLDER', '--weights', last.name))
}

async function add(
  name: string,
  source: string,
  { json, sha256, variant }: AddOptions,
): Promise<void> {
  const output = new Output(json)
  const made = await addWeights({
    name,
    source,
    ...(sha256 ? { sha256 } : {}),
    ...(variant ? { variant } : {}),
  })
  output.event({
    type: 'result',
    name,
    source: made.file.href,
    sha256: made.sha256,
    variant: made.variant,
  })
  output.labeled(
    'added',
    `${name}: ${made.file.protocol === 'file:' ? fileURLToPath(made.file) : made.file.href}`,
  )
  output.labeled('sha256', made.sha256)
  output.command('next', nextCommand('train', 'YOUR_FOLDER', '--weights', name))
}

async function fetchNamed(names: readonly string[], options: FetchOptions): Promise<void> {
  const output = new Output(options.json)
  const wanted = names.map(requireWeights)
  const stop = new Stop(() => output.warn('stopping; what has arrived is kept'))
  const paths: string[] = []
  try {
    for (const weights of wanted) {
      const path = await fetchShown(output, weights, options, stop)
      paths.push(path)
      output.labeled('here', `${weights.name}: ${path}`)
    }
  } finally {
    stop.done()
  }
  const [first] = wanted
  if (first) output.command('next', nextCommand('train', 'YOUR_FOLDER', '--weights', first.name))
  output.event({ type: 'result', names, paths })
}

async function verify(names: readonly string[], { json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const results: { name: string; path: string | null; problem: string | null }[] = []
  for (const weights of names.length ? names.map(requireWeights) : allWeights()) {
    const path = await localFile(weights)
    // Weights that are neither here nor asked for by name are not checked.
    if (path === null && names.length === 0) continue
    const problem =
      path === null
        ? `the file is not here; '${nextCommand('weights', 'fetch', weights.name)}' fetches it`
        : await problemOf(weights, path)
    results.push({ name: weights.name, path, problem })
    output.labeled(problem ? 'wrong' : 'sound', `${weights.name}: ${problem ?? path}`)
  }
  output.event({ type: 'result', weights: results })
  if (results.some(({ problem }) => problem !== null)) process.exitCode = exitCodes.failure
}

async function path(name: string, { json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const found = await localFile(requireWeights(name))
  if (found === null)
    throw new WeightsError(
      `${name} is not on this machine yet: '${nextCommand('weights', 'fetch', name)}' fetches it`,
    )
  output.event({ type: 'result', name, path: found })
  output.line(found)
}

async function remove(name: string, { json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const weights = requireWeights(name)
  if (isShipped(weights)) throw new GraftError('usage', `${name} comes with Graft and stays`)
  const { forgotten, deleted } = await removeWeights(weights)
  output.event({ type: 'result', name, forgotten, deleted })
  if (deleted.length === 0 && !forgotten) output.line(`nothing was fetched for ${name}`)
  for (const file of deleted) output.labeled('deleted', file)
  if (forgotten) output.labeled('forgotten', name)
}

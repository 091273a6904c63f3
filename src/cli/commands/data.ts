import type { Command } from 'commander'
import { DataError } from '../../base/errors.ts'
import { bytes, thousands } from '../../base/format.ts'
import { localDataset, requireDataset } from '../../data/datasets/node/store.ts'
import { downloadBytes, namedDatasets } from '../../data/datasets/registry.ts'
import { type FetchOptions, fetchShown } from '../dataPlace.ts'
import { table } from '../lines.ts'
import { number as numberOption } from '../options.ts'
import { Output } from '../output.ts'
import { nextCommand } from '../shell.ts'

interface JsonOption {
  readonly json?: boolean
}

export function addData(data: Command): void {
  data.addHelpText(
    'after',
    `
A name works wherever a folder of images does; a folder of that name in the current folder wins.
What is fetched lies in your cache folder, as a folder for each class.

Examples:
  npx graft-webgpu data list
  npx graft-webgpu data fetch hymenoptera
  npx graft-webgpu train hymenoptera
  ls "$(npx graft-webgpu data path hymenoptera)"`,
  )
  const sub = (name: string, description: string) =>
    data
      .command(name)
      .description(description)
      .option('--json', 'print one JSON event a line, the result last')
  sub('list', 'Show every name, what it is, its size and its license.').action(list)
  sub('fetch', 'Fetch datasets and unpack them; an interrupted transfer continues.')
    .argument('<name...>', 'names that list shows')
    .option('--offline', 'fetch nothing, only look for local ones (also: GRAFT_OFFLINE=1)')
    .option(
      '--min-rate <bytes>',
      'bytes a second below which a connection is given up (default: 256; 0: none)',
      numberOption({ integer: true, min: 0 }),
    )
    .action(fetchNamed)
  sub('path', 'Print the path of the folder, for scripts.')
    .argument('<name>', 'a name that list shows')
    .action(path)
}

async function list({ json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const rows = await Promise.all(
    namedDatasets.map(async (dataset) => ({ dataset, path: await localDataset(dataset) })),
  )
  output.event({
    type: 'result',
    datasets: rows.map(({ dataset, path }) => ({
      ...dataset,
      archives: dataset.archives.map(({ url, ...rest }) => ({ url: url.href, ...rest })),
      path,
    })),
  })
  const lines = rows.map(({ dataset, path }) => [
    dataset.name,
    dataset.classes,
    thousands(dataset.images),
    bytes(downloadBytes(dataset)),
    path ?? 'not fetched yet',
  ])
  output.lines(
    table([['name', 'classes', 'images', 'to fetch', 'folder'], ...lines], { right: [1, 2, 3] }),
  )
  for (const { name, about, division, license, archives } of namedDatasets) {
    output.lines(['', name])
    output.labeled('  what', about)
    output.labeled('  divided', division)
    output.labeled('  license', license)
    for (const { url, sha256 } of archives)
      output.labeled(
        '  from',
        url.href +
          (sha256 === null
            ? ' (nobody publishes its sha256: the size is checked, and the sum of the first ' +
              'download is kept and compared with that of later ones)'
            : ''),
      )
  }
}

async function fetchNamed(
  names: readonly string[],
  { json, ...options }: JsonOption & FetchOptions,
): Promise<void> {
  const output = new Output(json)
  const wanted = names.map(requireDataset)
  const paths: string[] = []
  for (const dataset of wanted) {
    const path = await fetchShown(output, dataset, options)
    paths.push(path)
    output.labeled('here', path)
    output.labeled('  divided', dataset.division)
  }
  const [first] = wanted
  if (first) output.command('next', nextCommand('train', first.name))
  output.event({ type: 'result', names: wanted.map(({ name }) => name), paths })
}

async function path(name: string, { json }: JsonOption): Promise<void> {
  const output = new Output(json)
  const dataset = requireDataset(name)
  const found = await localDataset(dataset)
  if (found === null)
    throw new DataError(
      `${dataset.name} is not on this machine yet: ` +
        `'${nextCommand('data', 'fetch', dataset.name)}' fetches it`,
    )
  output.event({ type: 'result', name: dataset.name, path: found })
  output.line(found)
}

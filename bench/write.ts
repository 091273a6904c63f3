import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileAtomic } from '../src/base/node/atomicFile.ts'
import { chart, themeNames } from './chart.ts'
import { markdown } from './markdown.ts'
import type { Results, Row } from './results.ts'
import { summarize } from './summary.ts'

/**
 * Writes the results, and next to them under the same name the table, and its chart for light and
 * dark pages.
 * @param file ends in .json
 * @returns what was written
 */
export async function writeResults(results: Results, file: string): Promise<string[]> {
  const stem = file.replace(/\.json$/, '')
  const name = stem.replace(/^.*[\\/]/, '')
  const files: Record<string, string> = {
    [file]: `${JSON.stringify(results, null, 2)}\n`,
    [`${stem}.md`]: markdown(results, name),
    ...Object.fromEntries(
      themeNames.map((theme) => [
        `${stem}${theme === 'light' ? '' : `-${theme}`}.svg`,
        chart(results, theme),
      ]),
    ),
  }
  await mkdir(dirname(file), { recursive: true })
  for (const [path, text] of Object.entries(files)) await writeFileAtomic(path, text)
  return Object.keys(files)
}

/** The results' name: a software adapter's kind, or the GPU's name. */
export function resultsName({ adapter, kind }: Pick<Results, 'adapter' | 'kind'>): string {
  if (kind !== 'hardware') return kind
  const words = adapter.toLowerCase().match(/[a-z0-9]+/g) ?? [kind] // for a GPU without a name
  return words.join('-')
}

/** The key of a row. */
export function rowKey({ name, pass }: Pick<Row, 'name' | 'pass'>): string {
  return `${name} ${pass}`
}

/**
 * The results of the file, with the new rows in place of the older ones, in the given order of
 * keys. Rows that the suite no longer has are removed.
 */
export async function updated(
  file: string,
  measured: Results,
  order: readonly string[],
): Promise<Results> {
  if (!existsSync(file)) return measured
  const earlier = JSON.parse(await readFile(file, 'utf8')) as Results
  const byKey = new Map([...earlier.rows, ...measured.rows].map((row) => [rowKey(row), row]))
  const rows = order.flatMap((key) => byKey.get(key) ?? [])
  return { ...measured, quick: rows.some(({ quick }) => quick), rows, summary: summarize(rows) }
}

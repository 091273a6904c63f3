import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..', '..')

/** The TypeScript files of some folders, with their text. */
export async function sourcesIn(
  ...folders: readonly string[]
): Promise<{ readonly path: string; readonly text: string }[]> {
  const listed = ['ls-files', '-co', '--exclude-standard', ...folders]
  const { stdout } = await promisify(execFile)('git', listed, { cwd: root })
  const paths = stdout.split('\n').filter((path) => /\.tsx?$/.test(path))
  return Promise.all(
    paths.map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
  )
}

/** A source without comments, imports, and strings of more than one word. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/ .*$/gm, '')
    .replace(/^import [^']*'.*'$/gm, '')
    .replace(/'[^'\n]*'/g, (string) => (/^'\w+'$/.test(string) ? string : "''"))
}

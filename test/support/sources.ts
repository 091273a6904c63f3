import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..', '..')

/** The files of some folders whose names end in one of `endings`, with their text. */
export async function filesIn(
  folders: readonly string[],
  endings: RegExp,
): Promise<{ readonly path: string; readonly text: string }[]> {
  const listed = ['ls-files', '-co', '--exclude-standard', ...folders]
  const { stdout } = await promisify(execFile)('git', listed, { cwd: root })
  const names = stdout.split('\n').filter((path) => endings.test(path))
  // git still lists a file that was removed and is not committed yet.
  const paths = names.filter((path) => existsSync(join(root, path)))
  return Promise.all(
    paths.map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
  )
}

/** The TypeScript files of some folders, with their text. */
export const sourcesIn = (...folders: readonly string[]) => filesIn(folders, /\.tsx?$/)

/** A source without comments, imports, and strings of more than one word. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/ .*$/gm, '')
    .replace(/^import [^']*'.*'$/gm, '')
    .replace(/'[^'\n]*'/g, (string) => (/^'\w+'$/.test(string) ? string : "''"))
}

import { basename, resolve } from 'node:path'

/** What the images are called in names of runs: their folder, or their file without its ending. */
export function dataName(dir: string): string {
  return basename(resolve(dir)).replace(/\.(csv|tsv|tar)$/i, '') || 'images'
}

/** An argument as a shell takes it. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}

/** A command to type next, called as this one was: through npx where npm started it. */
export function nextCommand(...args: readonly string[]): string {
  const command = process.env.npm_config_user_agent ? ['npx', 'graft'] : ['graft']
  return [...command, ...args].map(quoted).join(' ')
}

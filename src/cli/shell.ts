import { basename, resolve } from 'node:path'

/** The images' name within names of runs: their folder, or their file without its ending. */
export function dataName(dir: string): string {
  return basename(resolve(dir)).replace(/\.(csv|tsv|tar)$/i, '') || 'images'
}

/** An argument quoted for a shell. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}

/** A command to type next; through npx if this one was started by npm. */
export function nextCommand(...args: readonly string[]): string {
  const command = process.env.npm_config_user_agent ? ['npx', 'graft'] : ['graft']
  return [...command, ...args].map(quoted).join(' ')
}

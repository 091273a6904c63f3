import { basename, relative, sep } from 'node:path'
import { quoted } from '../base/node/quoted.ts'

/** How texts name the command that do not know how it was started: the library's own ones. */
const canonical = 'npx graft-webgpu'

/** What a process knows about its own start. */
interface Start {
  /** The path of the script, as Node was given it. */
  readonly script: string
  readonly folder: string
  /** The `npm_config_user_agent` that package managers set: `pnpm/10.34.9 npm/? node/v20.20.2`. */
  readonly agent: string
}

/** @throws never: where nothing is known, the command is `npx graft-webgpu` */
function thisStart(): Start {
  return {
    script: process.argv[1] ?? '', // `node -e` has none
    folder: process.cwd(),
    agent: process.env.npm_config_user_agent ?? '', // set by package managers alone
  }
}

/**
 * The words that started this command, as a person types them again.
 * @example invocation() // 'npx graft-webgpu', 'graft', 'node src/cli/graft.js', 'pnpm exec graft'
 */
export function invocation({ script, folder, agent }: Start = thisStart()): string {
  const parts = script.split(sep)
  const installed = parts.indexOf('node_modules')
  if (installed < 0) {
    const path = relative(folder, script)
    if (/^graft\.c?js$/.test(basename(script)))
      return `node ${quoted(path.startsWith('..') ? script : path)}`
    return /^graft/.test(basename(script)) ? basename(script, '.cmd') : canonical
  }
  switch (agent.split('/')[0]) {
    case 'npm':
      return canonical
    case 'pnpm':
      return parts.includes('dlx') ? 'pnpm dlx graft-webgpu' : 'pnpm exec graft'
    case 'yarn':
      return parts.some((part) => part.startsWith('dlx-')) ? 'yarn dlx graft-webgpu' : 'yarn graft'
    case 'bun':
      return 'bunx graft-webgpu'
  }
  // No package manager started it: a script of the project around this folder, which npx finds too,
  // or one that is on the PATH.
  const project = parts.slice(0, installed).join(sep)
  return folder === project || folder.startsWith(`${project}${sep}`) ? canonical : 'graft'
}

/** A text that names commands as `npx graft-webgpu`, with the words that started this one. */
export function asStarted(text: string): string {
  return text.replaceAll(canonical, invocation())
}

import { rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { bundleSources } from '../../src/inspect/node/bundleSources.ts'
import { filesIn } from './sources.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const linked = ['node_modules', 'shaders', 'weights', 'package.json']
/** A link would be followed to its folder, where the sources are. */
const copied = ['src/cli/graft.js', 'src/cli/graft.cjs', 'src/host/node/decodeChild.js']

let command: Promise<string> | null = null

/**
 * The command as the npm package has it, compiled from today's sources once for all tests: it
 * starts three times as fast as in a clone, where each process compiles the sources again.
 * @returns the file to run with Node
 */
export function compiledCommand(): Promise<string> {
  command ??= compile()
  return command
}

async function compile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-compiled-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const name of linked) await symlink(join(root, name), join(folder, name))
  for (const name of copied) await cp(join(root, name), join(folder, name))
  const sources = await filesIn(['src'], /(?<!\.d)\.tsx?$/)
  await build({
    absWorkingDir: root,
    entryPoints: sources
      .map(({ path }) => path)
      .filter((path) => !/^src\/(inspect\/)?web\//.test(path)),
    outdir: join(folder, 'dist'),
    outbase: 'src',
    bundle: true,
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
    plugins: [fileByFile],
  })
  const page = Object.entries(await bundleSources()).map(
    ([name, text]) => `export const ${name} = ${JSON.stringify(text)}\n`,
  )
  await mkdir(join(folder, 'dist/inspect/page'), { recursive: true })
  await writeFile(join(folder, 'dist/inspect/page/index.js'), page.join(''))
  return join(folder, 'src/cli/graft.js')
}

/** Each source stays a module of its own, and imports the compiled ones. */
const fileByFile: Plugin = {
  name: 'file by file',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\./ }, ({ kind, path }) =>
      kind === 'entry-point' ? null : { path: path.replace(/\.tsx?$/, '.js'), external: true },
    ),
}

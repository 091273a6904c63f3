import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type * as Graft from '../../src/index.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Code that reads the recorder; assignments stay. */
const asks = /\b(?:this|gpu|x\.engine\.gpu)\.recorder\b(?!\s*=[^=])/g
/** Code that reads it together with another field of the GPU. */
const takes = /const \{ (\w+), recorder \} = gpu\b/g

/**
 * While compiling, replaces every check for a recorder by null, so that esbuild drops the code that
 * depends on it.
 */
const unrecorded: Plugin = {
  name: 'unrecorded',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      if (/recorder\.ts$/.test(path)) return undefined
      const text = await readFile(path, 'utf8')
      return {
        contents: text
          .replace(asks, 'null')
          .replace(takes, 'const { $1 } = gpu, recorder = null')
          .replace(/\brecorder\?\./g, 'null?.'),
        loader: 'ts',
      }
    })
  },
}

/**
 * Graft's sources as one module, compiled as they are, or without the recording code.
 * @param name of the file; with another name the same code is loaded once more
 * @throws Error if recording code is left, since it reads the recorder in a way not looked for here
 */
export async function buildGraft(name: string, recording: boolean): Promise<typeof Graft> {
  // At the depth at which the code looks for the shaders.
  const outfile = `${root}dist/bench/recording/${name}.js`
  await build({
    entryPoints: [`${root}src/index.ts`],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    outfile,
    logLevel: 'silent',
    plugins: recording ? [] : [unrecorded],
  })
  // The recorder itself reads the field twice, when it starts and when it ends.
  const left =
    (await readFile(outfile, 'utf8')).match(/\.recorder\b(?!\s*=[^=])|\brecorder\d*\?\./g) ?? []
  if (!recording && left.length !== 2)
    throw new Error(
      `${outfile} still contains recording code: ` +
        `it reads the recorder in ${left.length} places instead of 2`,
    )
  return import(outfile)
}

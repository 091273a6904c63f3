import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type * as Graft from '../../src/index.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Where code asks whether it is being recorded; assignments stay. */
const asks = /\b(?:this|gpu|x\.engine\.gpu)\.recorder\b(?!\s*=[^=])/g
/** The same, together with another field of the GPU. */
const takes = /const \{ (\w+), recorder \} = gpu\b/g

/**
 * Answers every question 'is anybody recording?' with no while compiling, so that esbuild drops
 * whatever hangs on it.
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
 * Graft's sources as one module, compiled as they are, or without any recording code where work is
 * encoded.
 * @param name of the file: the same code may be loaded more than once
 * @throws Error where recording code would stay, since it is asked for in another way than here is
 * looked for
 */
export async function buildGraft(name: string, recording: boolean): Promise<typeof Graft> {
  // As deep as src/gpu/node, from where shaders are looked for.
  const outfile = `${root}dist/bench/recording/${name}.js`
  await build({
    ...{
      entryPoints: [`${root}src/index.ts`],
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
    },
    minifySyntax: true,
    outfile,
    logLevel: 'silent',
    plugins: recording ? [] : [unrecorded],
  })
  // The recorder itself asks twice, when it is made and when it ends.
  const left =
    (await readFile(outfile, 'utf8')).match(/\.recorder\b(?!\s*=[^=])|\brecorder\d*\?\./g) ?? []
  if (!recording && left.length !== 2)
    throw new Error(
      `recording code is still in ${outfile}: it asks for a recorder in ${left.length} places, not 2`,
    )
  return import(outfile)
}

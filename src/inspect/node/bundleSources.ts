import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { GraftError } from '../../base/errors.ts'
import { specifications } from '../../reference/index.ts'
import type { PageBundle } from '../page.ts'

/** Bundles the page's sources, the references' text and the version with esbuild. */
export async function bundleSources(): Promise<PageBundle> {
  const esbuild = await import('esbuild').catch((cause: unknown) => {
    throw new GraftError(
      'install',
      "the inspector's page is not built and esbuild is missing: run 'npm ci' in Graft's folder",
      { cause },
    )
  })
  const { version } = JSON.parse(
    await readFile(new URL('../../../package.json', import.meta.url), 'utf8'),
  ) as { version: string }
  const { outputFiles } = await esbuild.build({
    entryPoints: { page: fileURLToPath(new URL('../web/main.tsx', import.meta.url)) },
    bundle: true,
    minify: true,
    write: false,
    outdir: 'page',
    format: 'iife',
    target: 'es2022',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'silent',
    define: {
      GRAFT_VERSION: JSON.stringify(version),
      GRAFT_REFERENCES: JSON.stringify(await readReferences()),
    },
  })
  const text = (ending: string) => {
    const file = outputFiles.find(({ path }) => path.endsWith(ending))
    if (!file) throw new Error(`the inspector's page was bundled without ${ending}`)
    return file.text
  }
  return { script: text('.js'), style: text('.css') }
}

/** Where an operator's file goes on from the reference to its cases and the specification. */
const judging = /^(?:\/\*\*.*\*\/\n)?(?:(?:const|function) shaped|export const specification)\b/m

/** The references' own text by their files' names: what the page shows beside a kernel. */
async function readReferences(): Promise<Record<string, string>> {
  const folder = new URL('../../reference/', import.meta.url)
  const names = [...Object.keys(specifications), 'optimizers']
  const read = async (name: string) => {
    const text = await readFile(new URL(`${name}.ts`, folder), 'utf8')
    return [name, text.slice(0, judging.exec(text)?.index)] as const
  }
  return Object.fromEntries(await Promise.all(names.map(read)))
}

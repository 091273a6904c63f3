import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { GraftError } from '../gpu/errors.ts'

export interface PageBundle {
  readonly script: string
  readonly style: string
}

/** Where the package keeps the page that `npm run build` has bundled; a clone has none, and bundles its own sources. */
const built = { script: new URL('./page/page.js', import.meta.url), style: new URL('./page/page.css', import.meta.url) }

let bundle: Promise<PageBundle> | null = null

/** The inspector page's script and style. Made once in a process. */
export function pageBundle(): Promise<PageBundle> {
  bundle ??= readBuilt().then((found) => found ?? bundleSources())
  return bundle
}

async function readBuilt(): Promise<PageBundle | null> {
  try {
    const [script, style] = await Promise.all([readFile(built.script, 'utf8'), readFile(built.style, 'utf8')])
    return { script, style }
  } catch {
    return null
  }
}

/** Bundles the page's sources with esbuild, in a fraction of a second: a clone needs no build. */
export async function bundleSources(): Promise<PageBundle> {
  const esbuild = await import('esbuild').catch((cause: unknown) => {
    throw new GraftError('install', "the inspector's page is not built, and esbuild is not installed: run 'npm ci' in Graft's folder", {
      cause,
    })
  })
  const { outputFiles } = await esbuild.build({
    entryPoints: { page: fileURLToPath(new URL('./web/main.tsx', import.meta.url)) },
    ...{ bundle: true, minify: true, write: false, outdir: 'page', format: 'iife', target: 'es2022', legalComments: 'none' },
    ...{ jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'silent' },
  })
  const text = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? ''
  return { script: text('.js'), style: text('.css') }
}

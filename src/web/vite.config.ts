import { readFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import manifest from '../../package.json' with { type: 'json' }
import { embedShaders } from '../../shaders/embed.js'
import { bundleSources } from '../inspect/node/bundleSources.ts'
import { favicon } from '../look/mark.ts'
import { lookStyle } from '../look/style.ts'
import { sampleArchive } from './node/sampleArchive.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Writes the kernels of shaders/ into one module before anything is bundled. */
const kernels: Plugin = { name: 'kernels', buildStart: () => embedShaders() }

/** The look of all pages comes before the page's own style. */
const look: Plugin = { name: 'look', transformIndexHtml: (html) => withLook(html) }

const withLook = (html: string) =>
  html.replace(
    '<title>',
    `<link rel="icon" href="${favicon}" />\n<style>${lookStyle}</style>\n<title>`,
  )

/** Packs the sample images that come with the page; `virtual:samples` is their address. */
const samples: Plugin = {
  name: 'samples',
  resolveId: (id) => (id === 'virtual:samples' ? `\0${id}` : null),
  async load(id) {
    if (id !== '\0virtual:samples') return null
    const reference = this.emitFile({
      type: 'asset',
      name: 'samples.zip',
      source: await sampleArchive(),
    })
    return `export default import.meta.ROLLUP_FILE_URL_${reference}`
  },
}

/** The inspector's page beside the page; `virtual:inspector` has the addresses of its parts. */
const inspector: Plugin = {
  name: 'inspector',
  resolveId: (id) => (id === 'virtual:inspector' ? `\0${id}` : null),
  async load(id) {
    if (id !== '\0virtual:inspector') return null
    const page = withLook(await readFile(here('./inspector.html'), 'utf8'))
    this.emitFile({ type: 'asset', fileName: 'inspector.html', source: page })
    const addresses = Object.entries(await bundleSources()).map(([name, source]) => {
      const file = `inspector.${name === 'script' ? 'js' : 'css'}`
      const reference = this.emitFile({ type: 'asset', name: file, source })
      return `export const ${name} = import.meta.ROLLUP_FILE_URL_${reference}\n`
    })
    return addresses.join('')
  },
}

/** The weights keep their name, so that a server can tell them from the other files. */
const assetFileNames = ({ names }: { readonly names: readonly string[] }) =>
  names[0]?.endsWith('.safetensors') ? 'weights/[name][extname]' : 'assets/[name]-[hash][extname]'

/** The package has the weights at its root already, and `graft web` serves them from there. */
const withoutWeights: Plugin = {
  name: 'without-weights',
  closeBundle: () => rm(here('../../dist/web/weights'), { recursive: true }),
}

// Addresses are relative: the page works in any folder of any file server. In the mode 'package' it
// becomes part of the npm package.
export default defineConfig(({ mode }) => ({
  root: here('.'),
  base: './',
  plugins: [kernels, look, samples, inspector, ...(mode === 'package' ? [withoutWeights] : [])],
  define: { GRAFT_VERSION: JSON.stringify(manifest.version) },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: here(mode === 'package' ? '../../dist/web' : '../../dist-web'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // Plot, and the worker's engine with every kernel, are larger than what Vite warns of.
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { output: { assetFileNames } },
  },
  worker: {
    format: 'es',
    plugins: () => [kernels],
    rolldownOptions: { output: { assetFileNames } },
  },
}))

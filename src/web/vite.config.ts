import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import manifest from '../../package.json' with { type: 'json' }
import { embedShaders } from '../../shaders/embed.js'
import { favicon } from '../look/mark.ts'
import { lookStyle } from '../look/style.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Writes the kernels of shaders/ into one module before anything is bundled. */
const kernels: Plugin = { name: 'kernels', buildStart: () => embedShaders() }

/** The look of all pages comes before the page's own style. */
const look: Plugin = {
  name: 'look',
  transformIndexHtml: (html) =>
    html.replace(
      '<title>',
      `<link rel="icon" href="${favicon}" />\n<style>${lookStyle}</style>\n<title>`,
    ),
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
  plugins: mode === 'package' ? [kernels, look, withoutWeights] : [kernels, look],
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

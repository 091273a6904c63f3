/// <reference types="@webgpu/types" preserve="true" />
/**
 * The inspector: one recorded step of a network as JSON, as Chrome's trace, and as a page that
 * shows every kernel of it. This is the entry for Node; browserInspector.ts is the one for
 * browsers, which has all of it but `serveInspection`.
 *
 * @example
 * const { inspection, recording } = await inspect(model, { picture: 'cat.jpg', train: true })
 * await writeFile('step.html', await inspectorPage(inspection))
 * await writeFile('step.json', JSON.stringify(inspection))
 * await writeFile('trace.json', JSON.stringify(chromeTrace(recording, 'one step')))
 *
 * @module graft-webgpu/inspector
 */
import { createHash } from 'node:crypto'
import { type InspectOptions, inspect } from './inspect/inspect.ts'
import type { Inspection } from './inspect/inspection.ts'
import { pageBundle } from './inspect/node/bundle.ts'
import { type Answer, type LocalServer, serveLocally } from './inspect/node/localServer.ts'
import { renderPage } from './inspect/page.ts'
import type { Network } from './nn/network.ts'

/**
 * The inspector's page as one HTML file of a few megabytes: data, script and style inside, nothing
 * fetched.
 * @throws GraftError in a clone without esbuild, which bundles the page there
 * @example await writeFile('step.html', await inspectorPage(inspection))
 */
export async function inspectorPage(inspection: Inspection): Promise<string> {
  return renderPage(inspection, await pageBundle())
}

/**
 * Runs one step of a network on an image, recorded, and gives the page of it: `inspect` and
 * `inspectorPage` in one.
 * @param options as of `inspect`; `history`, as of `run.epochs`, lets the page show the training
 * @throws what `inspect` throws
 * @example
 * const { epochs: history } = await fit(model, data)
 * const html = await inspectToPage(model, { picture: 'cat.jpg', train: true, history })
 */
export async function inspectToPage(model: Network, options: InspectOptions = {}): Promise<string> {
  return inspectorPage((await inspect(model, options)).inspection)
}

/**
 * Shows the page on http://localhost, where WebGPU is allowed: kernels can be edited and run there,
 * and the tour measures. The address ends with a secret, without which the server shows nothing.
 * Node only.
 * @param inspection or a function that makes it, which is called once the port is open
 * @param options `port`, any that is free by default
 * @throws UsageError where the port is taken, or not allowed
 * @example
 * const { url, close } = await serveInspection(inspection)
 * console.log(`open ${url}`)
 */
export async function serveInspection(
  inspection: Inspection | (() => Promise<Inspection>),
  { port = 0 }: { readonly port?: number } = {},
): Promise<LocalServer> {
  return serveLocally(async () => {
    const made = typeof inspection === 'function' ? await inspection() : inspection
    const page = await servedPage(made)
    return async (path) => (path === '/' ? page : null)
  }, port)
}

/** The page, allowed to run its own script and nothing else. */
async function servedPage(inspection: Inspection): Promise<Answer> {
  const bundle = await pageBundle()
  const hash = createHash('sha256').update(bundle.script).digest('base64')
  return {
    type: 'text/html; charset=utf-8',
    body: renderPage(inspection, bundle),
    policy: [
      "default-src 'none'",
      'img-src data:',
      `script-src 'sha256-${hash}'`,
      "style-src 'unsafe-inline'",
    ].join('; '),
  }
}

export type { LocalServer } from './inspect/node/localServer.ts'
export * from './inspect/universal.ts'

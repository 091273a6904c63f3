/// <reference types="@webgpu/types" preserve="true" />
/**
 * The inspector in a browser: one recorded step of a network as JSON, as Chrome's trace, and as a
 * page of its own.
 *
 * @example
 * const { inspection } = await inspect(model, { picture: file, train: true })
 * open(URL.createObjectURL(new Blob([await inspectorPage(inspection)], { type: 'text/html' })))
 *
 * @module graft-webgpu/inspector in a browser
 */
import { type InspectOptions, inspect } from './inspect/inspect.ts'
import type { Inspection } from './inspect/inspection.ts'
import { renderPage } from './inspect/page.ts'
import type { Network } from './nn/network.ts'

/**
 * The inspector's page as one HTML file of a few megabytes: data, script and style inside, nothing
 * fetched. What draws it is loaded at the first call.
 * @example
 * const html = await inspectorPage(inspection)
 * open(URL.createObjectURL(new Blob([html], { type: 'text/html' })))
 */
export async function inspectorPage(inspection: Inspection): Promise<string> {
  return renderPage(inspection, await import('./inspect/page/index.js'))
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

export * from './inspect/universal.ts'

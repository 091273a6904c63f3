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
import type { Inspection } from './inspect/inspection.ts'
import { renderPage } from './inspect/page.ts'

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

export * from './inspect/universal.ts'

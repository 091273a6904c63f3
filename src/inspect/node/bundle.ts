import type { PageBundle } from '../page.ts'
import { bundleSources } from './bundleSources.ts'

let bundle: Promise<PageBundle> | null = null

/**
 * The script and style of the inspector's page: from `npm run build`, or in a clone bundled from
 * source, once in a process.
 */
export function pageBundle(): Promise<PageBundle> {
  bundle ??= import('../page/index.js').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return bundleSources()
  })
  return bundle
}

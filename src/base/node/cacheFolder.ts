import envPaths from 'env-paths'

/**
 * Where what can be made again is kept: the folder that GRAFT_CACHE names, else `graft` in the
 * user's folder for caches.
 */
export function cacheFolder(): string {
  return process.env.GRAFT_CACHE || envPaths('graft', { suffix: '' }).cache
}

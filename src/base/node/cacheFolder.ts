import envPaths from 'env-paths'

/**
 * The folder of everything that Graft can make or fetch again: downloaded weights, cached features,
 * measured tilings, the unpacked SwiftShader driver. The environment variable GRAFT_CACHE names it;
 * the default is `graft` in the user's cache folder (~/.cache or XDG_CACHE_HOME, ~/Library/Caches,
 * %LOCALAPPDATA%\\graft\\Cache).
 */
export function cacheFolder(): string {
  return process.env.GRAFT_CACHE || envPaths('graft', { suffix: '' }).cache
}

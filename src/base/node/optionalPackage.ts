import { GraftError } from '../errors.ts'

/**
 * Loads a package that a user installs only for what needs it.
 * @param name the package's name
 * @param needs what needs it, as the beginning of a sentence: 'an s3: address'
 * @param load imports it
 * @throws GraftError with code `package` in one line if it is not installed
 * @example await optionalPackage('pg', 'a queue on PostgreSQL', () => import('pg'))
 */
export async function optionalPackage<T>(
  name: string,
  needs: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause
    throw new GraftError(
      'package',
      `${needs} needs the package ${name}, which is not installed: run npm install ${name}`,
      { cause },
    )
  }
}

import { UsageError } from './errors.ts'

/**
 * A number of classes. For one that is too small, the compiler shows the sentence: as the name of
 * a property, because a number that is also a text is `never`.
 */
export type ClassCount<N> = N extends 0 | 1
  ? { readonly 'a network tells at least two classes apart: add one for all else': never }
  : number

/** The same for programs that no compiler checks. */
export function requireClasses(classes: number): void {
  if (classes === 1)
    throw new UsageError(
      'classes is 1: a network tells at least two classes apart; ' +
        'add one for all else, with images of it',
    )
  if (!Number.isSafeInteger(classes) || classes < 1)
    throw new UsageError(`classes is a positive integer, not ${classes}`)
}

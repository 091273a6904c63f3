import { UsageError } from '../base/errors.ts'
import type { Engine } from './tensor.ts'

/**
 * What a function takes as its engine. For a promise of one, the compiler shows the sentence.
 * @example function f<E>(engine: E & EngineArgument<E>): void
 */
export type EngineArgument<E> =
  E extends PromiseLike<unknown>
    ? 'createEngine() returns a promise: write await createEngine()'
    : Engine

/** The same for programs that no compiler checks. */
export function requireEngine(what: string, engine: unknown): void {
  if (engine instanceof Promise) throw new UsageError(forgotten(what))
}

function forgotten(what: string): string {
  return `${what}: the engine is a promise; createEngine() returns one: write await createEngine()`
}

/**
 * Lets a promise of an engine say what is wrong where it is used like the engine itself, instead
 * of `engine.tensor is not a function`.
 * @param engine the class, whose methods the promise does not have
 */
export function remindOfAwait<T>(promise: Promise<T>, engine: { readonly prototype: object }) {
  for (const name of Object.getOwnPropertyNames(engine.prototype))
    if (!(name in promise))
      Object.defineProperty(promise, name, {
        get() {
          throw new UsageError(forgotten(`engine.${name}`))
        },
      })
  return promise
}

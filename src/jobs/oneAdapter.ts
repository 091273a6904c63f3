import { MixedAdaptersError, type Outcome } from './runner.ts'

/** Lets the results of one adapter pass, that of the first. */
export class OneAdapter {
  #first: string | null = null

  /** @throws MixedAdaptersError for a result of another adapter */
  admit(outcome: Outcome): void {
    const adapter = 'result' in outcome ? outcome.result.adapter : null
    if (adapter === null) return
    this.#first ??= adapter
    if (adapter !== this.#first) throw new MixedAdaptersError(this.#first, adapter)
  }
}

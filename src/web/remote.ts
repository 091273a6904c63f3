import { type Remote, wrap } from 'comlink'
import type { Trainer } from './trainer.ts'
import workerAddress from './worker.ts?worker&url'

export type RemoteTrainer = Remote<Trainer>

/**
 * Starts the worker from a blob, so that the page's content security policy applies to it too: a
 * fetched worker has the policy of its own response, and a plain file server sends none.
 * @returns `failed` rejects if the worker cannot run
 */
export function openTrainer(): {
  readonly trainer: RemoteTrainer
  readonly failed: Promise<never>
} {
  const address = new URL(workerAddress, globalThis.location.href).href
  const source = new Blob([`import ${JSON.stringify(address)}`], { type: 'text/javascript' })
  const worker = new Worker(URL.createObjectURL(source), { type: 'module', name: 'graft' })
  const failed = new Promise<never>((_, reject) => {
    worker.onerror = ({ message }) =>
      reject(new Error(message || 'the script of its worker was not loaded; reload the page'))
  })
  return { trainer: wrap<Trainer>(worker), failed }
}

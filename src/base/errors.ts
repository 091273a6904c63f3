import type { OptionText, WriteOption } from './optionText.ts'
import { printable } from './printable.ts'

/**
 * Every error Graft throws on purpose. Each message is one line: what was wrong, where, and what to
 * do about it. A caller tells them apart with `instanceof` or by `code`; the command line prints
 * `message` without a stack trace.
 * @example
 * await fit(model, data, options).catch((error) => {
 *   if (!(error instanceof GraftError)) throw error
 *   console.error(error.code, error.message)
 * })
 */
export class GraftError extends Error {
  /** A short stable identifier, for programs that match on it. */
  readonly code: string
  readonly #text: string | OptionText

  /** @param message `OptionText` where it names options: as properties here, as flags there */
  constructor(code: string, message: string | OptionText, options?: ErrorOptions) {
    super(printable(typeof message === 'string' ? message : message.write()), options)
    this.name = new.target.name
    this.code = code
    this.#text = message
  }

  /** The message with every option that it names written as the reader knows it. */
  messageFor(write: WriteOption): string {
    return typeof this.#text === 'string' ? this.message : printable(this.#text.write(write))
  }

  /** The message behind a label, for an error that says where this one happened. */
  after(label: string): string | OptionText {
    return typeof this.#text === 'string' ? `${label}${this.message}` : this.#text.after(label)
  }
}

/** What was tried for one kind of adapter, and how to get it. */
export interface AdapterAttempt {
  readonly kind: 'hardware' | 'lavapipe' | 'swiftshader'
  readonly found: boolean
  /** The adapter's description where found, else what stood in the way. */
  readonly detail: string
  /** One sentence: what a user does to get this kind. */
  readonly howTo: string
}

/**
 * No adapter of the wanted kind; `attempts` says for each kind what was tried and how to get it.
 * @example
 * await createEngine({ adapter: 'hardware' }).catch((error) => {
 *   if (error instanceof AdapterError) for (const { kind, howTo } of error.attempts)
 *   console.error(kind, howTo)
 * })
 */
export class AdapterError extends GraftError {
  readonly attempts: readonly AdapterAttempt[]

  constructor(message: string, attempts: readonly AdapterAttempt[], options?: ErrorOptions) {
    super('adapter', message, options)
    this.attempts = attempts
  }
}

/**
 * Shapes or options that an operator cannot take. Thrown before anything reaches the GPU.
 * @example
 * linear(engine.tensor(new Float32Array(6), [2, 3]), weight, null) // ShapeError where weight is
 * [4, 5]
 */
export class ShapeError extends GraftError {
  constructor(message: string) {
    super('shape', message)
  }
}

/**
 * A kernel that did not compile, failed validation, or found no memory; names the kernel and the
 * layer it ran for.
 * @example
 * if (error instanceof KernelError) console.error(error.kernel, error.layer) // 'conv2d/forward',
 * 'features.3'
 */
export class KernelError extends GraftError {
  readonly kernel: string
  readonly layer: string | null

  constructor(kernel: string, layer: string | null, message: string, options?: ErrorOptions) {
    super('kernel', `kernel ${kernel}${layer ? ` (layer ${layer})` : ''}: ${message}`, options)
    this.kernel = kernel
    this.layer = layer
  }
}

/**
 * The GPU had no room for an allocation.
 * @example
 * if (error instanceof OutOfMemoryError) batchSize /= 2
 */
export class OutOfMemoryError extends GraftError {
  constructor(message: string, options?: ErrorOptions) {
    super('out-of-memory', message, options)
  }
}

/**
 * The device is gone: a driver reset, or `engine.dispose()` was called.
 * @example
 * if (error instanceof DeviceLostError) await engine.reopen() // `fit` does it for you
 */
export class DeviceLostError extends GraftError {
  /** What the device itself said. */
  readonly reason: string

  constructor(message: string, options?: ErrorOptions & { readonly reason?: string }) {
    super('device-lost', message, options)
    this.reason = options?.reason ?? message
  }
}

/**
 * A misuse of the autograd graph: backward twice, reading a disposed tensor.
 * @example
 * loss.backward()
 * loss.backward() // AutogradError: what it needs was freed by the first
 */
export class AutogradError extends GraftError {
  constructor(message: string) {
    super('autograd', message)
  }
}

/**
 * A weights file that is damaged, or does not fit the network.
 * @example
 * await alexnet(engine, { variant: 'bvlc', weights: 'alexnet-64.safetensors' }) // WeightsError:
 * shapes differ
 */
export class WeightsError extends GraftError {
  constructor(message: string | OptionText, options?: ErrorOptions) {
    super('weights', message, options)
  }
}

/**
 * A folder or image that cannot be used as training data.
 * @example
 * await openImageFolder('empty') // DataError
 */
export class DataError extends GraftError {
  constructor(message: string, options?: ErrorOptions) {
    super('data', message, options)
  }
}

/**
 * Training met NaN or infinity; names the first tensor, in the order of computation, that was not
 * finite.
 * @example
 * if (error instanceof NonFiniteError) console.error(error.tensor) // lower the learning rate
 */
export class NonFiniteError extends GraftError {
  readonly tensor: string

  constructor(tensor: string, message: string) {
    super('non-finite', message)
    this.tensor = tensor
  }
}

/**
 * An option or argument outside what the function or command takes.
 * @example
 * await fit(model, data, { epochs: -1 }) // UsageError
 */
export class UsageError extends GraftError {
  constructor(message: string | OptionText, options?: ErrorOptions) {
    super('usage', message, options)
  }
}

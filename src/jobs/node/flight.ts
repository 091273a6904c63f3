import type { Job } from '../job.ts'

/** A job that was given to a queue, under one name or more. */
export interface Flight {
  readonly id: string
  readonly job: Job
  /** Where its outcome stands: a job may be asked for twice. */
  readonly places: number[]
  /** How it is called in the queue: its own name, and those of further copies of it. */
  readonly copies: string[]
  /** When a worker took a copy, by this process's clock. */
  readonly begun: Map<string, number>
  readonly failures: Map<string, string>
}

/** The jobs that are in the queue, by their own names and by those of their copies. */
export class Flights {
  readonly #flights = new Map<string, Flight>()

  get size(): number {
    return this.#flights.size
  }

  add(id: string, job: Job, place: number): Flight {
    const flight = {
      id,
      job,
      places: [place],
      copies: [id],
      begun: new Map<string, number>(),
      failures: new Map<string, string>(),
    }
    this.#flights.set(id, flight)
    return flight
  }

  /** The flight of a job, or of one of its copies; undefined for those of others. */
  find(name: string): Flight | undefined {
    return this.#flights.get(name.replace(/-\d+$/, ''))
  }

  end(flight: Flight): void {
    this.#flights.delete(flight.id)
  }

  [Symbol.iterator](): Iterator<Flight> {
    return [...this.#flights.values()][Symbol.iterator]()
  }
}

/** The name of a further copy in the queue: the job's own one, with a number. */
export function nextCopy(flight: Flight): string {
  return `${flight.id}-${flight.copies.length + 1}`
}

/** Whether a job may be called so in a queue. */
export function isNameOf(id: string, name: string | undefined): boolean {
  return (
    name === id || (name?.startsWith(`${id}-`) === true && /^\d+$/.test(name.slice(id.length + 1)))
  )
}

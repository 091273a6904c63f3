import { type Command, Option } from 'commander'

/** The options of every command that reaches a queue. */
export interface QueueOptions {
  readonly queue?: string
  readonly telemetry?: boolean
}

/** Adds `--queue` and `--telemetry`; an environment variable keeps a password off the screen. */
export function withQueue(command: Command, help: string): Command {
  return command
    .addOption(
      new Option(
        '--queue <url>',
        `${help}: postgres://user:password@host/database or redis://:password@host`,
      ).env('GRAFT_QUEUE'),
    )
    .option('--telemetry', 'send spans to what OpenTelemetry is set up to (package bullmq-otel)')
}

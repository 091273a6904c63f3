import { Command, CommanderError } from 'commander'
import { jsonLine } from '../base/jsonLine.ts'
import { printable } from '../base/printable.ts'
import { withRawNames } from './arguments.ts'
import { commands } from './commands.ts'
import { exitCodes, InterruptedError } from './errors.ts'
import { stopForPipe } from './interrupt.ts'
import { asStarted, invocation } from './invocation.ts'
import { reflowed, table } from './lines.ts'
import { watchStreams } from './output.ts'
import { graftVersion } from './version.ts'

/**
 * Runs the command of this process: as `runCommand`, and what goes wrong outside of it, in a stream
 * or in an event, is reported too.
 * @param args what was typed after `graft`
 */
export async function main(args: readonly string[]): Promise<void> {
  watchStreams(stopForPipe)
  process.once('uncaughtException', (error) => {
    void report(error, args.includes('--json')).then((code) => process.exit(code))
  })
  await runCommand(args)
}

/**
 * Runs one command and sets the exit code: 0, 1 for a failure, 2 for a mistake in what was typed,
 * 128 and the signal's number after one, such as 130 after Ctrl-C. A process may run several.
 * @param args what was typed after `graft`
 */
export async function runCommand(args: readonly string[]): Promise<void> {
  try {
    const program = await makeProgram(args)
    await program.parseAsync(withRawNames(args), { from: 'user' })
  } catch (error) {
    process.exitCode = await report(error, args.includes('--json'))
  }
}

const examples = [
  ['demo', 'see it work on emoji, in a few minutes'],
  ['reproduce --budget 2h', "the article's experiment on 133 breeds of dogs"],
  ['train photos', 'photos/cat/*.jpg, photos/dog/*.jpg, …'],
  ['compare photos --seconds 60', 'all four ways, each for a minute'],
  ['sweep photos --grid lr=1e-4,1e-3 --seeds 3', 'every choice of options, each with seeds'],
  ['report runs/photos', 'one HTML file: curves, errors, occlusion'],
  ['evaluate runs/photos', 'accuracy, class by class'],
  ['predict runs/photos cat.jpg', 'what is on an image'],
  ['show-batch photos', 'a sheet of images as training sees them'],
  ['export runs/photos', 'for ONNX Runtime or PyTorch'],
  ['weights list', 'which trained networks have a name'],
  ['data list', 'which datasets have a name, to fetch and to train on'],
  ['cache', 'what Graft keeps to be faster the next time; clear it'],
  ['adapters', 'which GPU, or which CPU driver, computes'],
  ['tune', 'measure which kernels are fastest on it'],
  ['check', 'whether every kernel computes right on it'],
  ['inspect runs/photos', 'a page with every kernel of one step'],
  ['web', 'all of this in a browser, on its GPU'],
].map(([command, does]) => [`${invocation()} ${command}`, `${does}`])

/** The program with every command by name and line, and with all of the one that is typed. */
export async function makeProgram(args: readonly string[]): Promise<Command> {
  const typed = args.find((arg) => !arg.startsWith('-') && arg !== 'help')
  const group = commands.some(({ name }) => name === typed) ? [typed] : []
  const help = [invocation(), ...group, '--help'].join(' ')
  const program = new Command(invocation())
    .description(
      'Transfer learning on WebGPU: grafts the classes of your images onto a trained AlexNet.',
    )
    .version(graftVersion)
    .exitOverride()
    // One line an error, with the suggestion at its end.
    .configureOutput({
      writeOut: (text) => process.stdout.write(reflowed(asStarted(text))),
      writeErr: (text) => process.stderr.write(asStarted(text)),
      outputError: (text, write) =>
        write(
          `${printable(
            text
              .trim()
              .replace(/^error: /, 'graft: ')
              .replace(/^graft: unknown command '.*'$/, (line) => `${line}: '${help}' lists them`)
              .replaceAll('\n', ' '),
          )}\n`,
        ),
    })
    .addHelpText('after', `\nExamples:\n${table(examples, { indent: '  ' }).join('\n')}`)
  for (const { name, description, load } of commands) {
    const command = program.command(name).description(description)
    if (name !== typed) continue
    const complete = await whileShown('loading …', load)
    complete(command)
    withVerbose(command)
  }
  program.hook('preAction', (_, command) => {
    if (command.opts().verbose) process.env.GRAFT_VERBOSE = '1'
  })
  return program
}

/** Shows a note on a terminal until some work is done. In a clone, loading takes a second. */
async function whileShown<T>(note: string, work: () => Promise<T>): Promise<T> {
  const { stderr } = process
  if (stderr.isTTY) stderr.write(note)
  try {
    return await work()
  } finally {
    if (stderr.isTTY) stderr.write('\r\u001b[K')
  }
}

/** Adds `--verbose` to a command, or to the commands in it. */
function withVerbose(command: Command): void {
  if (command.commands.length) for (const one of command.commands) withVerbose(one)
  else command.option('--verbose', 'also what GPU drivers and Node print (or GRAFT_VERBOSE=1)')
}

async function report(error: unknown, json: boolean): Promise<number> {
  const event = (code: string, message: string) => {
    if (json) process.stdout.write(`${jsonLine({ type: 'error', code, message })}\n`)
  }
  if (error instanceof CommanderError) {
    // Commander has printed its own line, or the help or the version.
    if (error.exitCode === 0) return 0
    if (error.code !== 'commander.help') event('usage', error.message.replace(/^error: /, ''))
    return exitCodes.usage
  }
  const { describeFailure } = await import('./failure.ts')
  const { code, message, exitCode, bug } = describeFailure(error)
  if (exitCode === exitCodes.pipe) return exitCode
  // The result stays the last line of the JSON output.
  if (!(error instanceof InterruptedError && error.hasResult)) event(code, message)
  const debug = process.env.GRAFT_DEBUG === '1'
  const where = bug && !debug ? ' (GRAFT_DEBUG=1 shows where)' : ''
  process.stderr.write(`graft: ${printable(message)}${where}\n`)
  if (debug && error instanceof Error)
    for (const line of String(error.stack).split('\n')) process.stderr.write(`${printable(line)}\n`)
  return exitCode
}

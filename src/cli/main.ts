import { Command, CommanderError } from 'commander'
import { addAdapters } from './adapters.ts'
import { addDemo } from './demo.ts'
import { addEvaluate } from './evaluate.ts'
import { exitCodes, reportError } from './output.ts'
import { addPredict } from './predict.ts'
import { addTrain, InterruptedError } from './train.ts'
import { graftVersion } from './version.ts'

// A reader that closes the pipe, such as head, ends the command without complaint.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const program = new Command('graft')
  .description('Transfer learning on WebGPU: graft your own classes onto a trained AlexNet.')
  .version(graftVersion)
  .showHelpAfterError('(add --help for the options)')
  .exitOverride()
  .addHelpText(
    'after',
    '\nExamples:\n  graft demo                        see it work, in two minutes\n  graft train photos                train on a folder of pictures\n  graft predict runs/photos-small-similar cat.jpg',
  )

for (const add of [addTrain, addEvaluate, addPredict, addAdapters, addDemo]) add(program)

try {
  await program.parseAsync()
} catch (error) {
  // commander has printed its own line; asking for help or the version is no mistake.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage
  else process.exitCode = error instanceof InterruptedError ? interrupted(error) : reportError(error, process.argv.includes('--json'))
}

function interrupted(error: InterruptedError): number {
  process.stderr.write(`graft: ${error.message}\n`)
  return exitCodes.interrupted
}

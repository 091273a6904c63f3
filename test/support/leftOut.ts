import { missingServers } from './servers.ts'

/** Says after all tests which of them were left out for want of a server. */
export default function setup(): () => void {
  return () => {
    for (const server of missingServers())
      console.log(`left out: what needs ${server}, which is not on this machine`)
  }
}

/** The package has no types of its own; what Graft uses of it. */
declare module 'fs-native-extensions' {
  /**
   * Locks a whole file that is open for writing, without waiting.
   * @returns false while it is locked through another file descriptor
   * @throws Error with the system's code
   */
  export function tryLock(fd: number): boolean
}

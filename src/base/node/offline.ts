/** Whether nothing may be fetched: `GRAFT_OFFLINE` is set, to anything but 0. */
export function isOffline(): boolean {
  const { GRAFT_OFFLINE = '' } = process.env
  return GRAFT_OFFLINE !== '' && GRAFT_OFFLINE !== '0'
}
